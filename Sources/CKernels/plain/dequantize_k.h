// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The types with super-blocks of 256 elements that have scales of their own.
#ifndef CKERNELS_DEQUANTIZE_K_H
#define CKERNELS_DEQUANTIZE_K_H

#include "../ground/numbers.h"
#include "../ground/v16.h"
#include "dequantize_simple.h"

// Returns scale and min `i` (0…7) from the 12 bytes into which Q4_K and Q5_K pack 8 scales and 8 mins of 6 bits.
INLINE void k_scale_min(const uint8_t *packed, int i, uint8_t *scale, uint8_t *min) {
  if (i < 4) {
    *scale = packed[i] & 63;
    *min = packed[i + 4] & 63;
  } else {
    *scale = (uint8_t)((packed[i + 4] & 15) | (packed[i - 4] >> 6 << 4));
    *min = (uint8_t)((packed[i + 4] >> 4) | (packed[i] >> 6 << 4));
  }
}

// scales[16] (low nibble scale, high nibble min); 64 bytes of 2-bit quants: 32 bytes hold four runs of 32 elements; f16 d, dmin.
static void row_Q2_K(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 84, out += 256) {
    float d = v_half(row + 80), dmin = v_half(row + 82);
    for (int i = 0; i < 16; i++) {
      float scale = d * (float)(row[i] & 15), min = dmin * (float)(row[i] >> 4);
      v16c q = load_bytes(row + 16 + i / 8 * 32 + i % 2 * 16) >> (uint8_t)(i / 2 % 4 * 2) & 3;
      v_store(out + 16 * i, unsigned_floats(q) * scale - min);
    }
  }
}

// hmask[32] (bit j: third bit of run j of 32 elements); 64 bytes of low bits as in Q2_K; 16 6-bit scales in 12 bytes; f16 d.
static void row_Q3_K(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 110, out += 256) {
    float d = v_half(row + 108);
    const uint8_t *packed = row + 96;
    for (int i = 0; i < 16; i++) {
      int low = packed[i % 8] >> (i / 8 * 4) & 15, high = packed[8 + i % 4] >> (i / 4 * 2) & 3;
      float scale = d * (float)((low | high << 4) - 32);
      v16c q = load_bytes(row + 32 + i / 8 * 32 + i % 2 * 16) >> (uint8_t)(i / 2 % 4 * 2) & 3;
      v16c third = load_bytes(row + i % 2 * 16) >> (uint8_t)(i / 2) & 1;
      v_store(out + 16 * i, (unsigned_floats(q | third << 2) - 4.0f) * scale);
    }
  }
}

// f16 d, dmin; 12 bytes of scales and mins; 128 bytes: 32 bytes hold a run of 32 elements in the low nibbles, the next in the high.
static void row_Q4_K(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 144, out += 256) {
    float d = v_half(row), dmin = v_half(row + 2);
    for (int i = 0; i < 8; i++) {
      uint8_t scale, min;
      k_scale_min(row + 4, i, &scale, &min);
      float s = d * (float)scale, m = dmin * (float)min;
      for (int j = 0; j < 2; j++) {
        v16c q = load_bytes(row + 16 + i / 2 * 32 + 16 * j) >> (uint8_t)(i % 2 * 4) & 15;
        v_store(out + 32 * i + 16 * j, unsigned_floats(q) * s - m);
      }
    }
  }
}

// As Q4_K, with 32 bytes of fifth bits in front of the nibbles (bit j: run j).
static void row_Q5_K(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 176, out += 256) {
    float d = v_half(row), dmin = v_half(row + 2);
    for (int i = 0; i < 8; i++) {
      uint8_t scale, min;
      k_scale_min(row + 4, i, &scale, &min);
      float s = d * (float)scale, m = dmin * (float)min;
      for (int j = 0; j < 2; j++) {
        v16c q = load_bytes(row + 48 + i / 2 * 32 + 16 * j) >> (uint8_t)(i % 2 * 4) & 15;
        v16c fifth = load_bytes(row + 16 + 16 * j) >> (uint8_t)i & 1;
        v_store(out + 32 * i + 16 * j, unsigned_floats(q | fifth << 4) * s - m);
      }
    }
  }
}

// 128 bytes of low nibbles, 64 of upper bit pairs (for each 128 elements: runs of 32), 16 signed scales, f16 d.
// d * scale * (q - 32)
static void row_Q6_K(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 210, out += 256) {
    float d = v_half(row + 208);
    for (int i = 0; i < 16; i++) {
      int half = i / 8, run = i / 2 % 4, part = i % 2 * 16;
      v16c low = load_bytes(row + 64 * half + run % 2 * 32 + part) >> (uint8_t)(run / 2 * 4) & 15;
      v16c high = load_bytes(row + 128 + 32 * half + part) >> (uint8_t)(run * 2) & 3;
      v_store(out + 16 * i, (unsigned_floats(low | high << 4) - 32.0f) * (d * (float)(int8_t)row[192 + i]));
    }
  }
}

// f16 d; u16 of upper scale bits, 4 bytes of lower ones; 8 runs of 16 bytes of nibbles. d * (scale - 32) * value
static void row_IQ4_XS(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 136, out += 256) {
    float d = v_half(row);
    uint16_t high = load_u16(row + 2);
    for (int i = 0; i < 8; i++) {
      int scale = (row[4 + i / 2] >> (i % 2 * 4) & 15) | (high >> (2 * i) & 3) << 4;
      look_up_nibbles(row + 8 + 16 * i, iq4_values, d * (float)(scale - 32), out + 32 * i);
    }
  }
}

// Converts `bytes` bytes of base-3 digits, the first digits of all bytes first. Digit n is the upper byte of 3 * (byte * 3^n mod 256). d *
// (digit - 1)
INLINE void ternary_digits(const uint8_t *packed, int bytes, int digits, float d, float *out) {
  static const uint8_t powers[5] = {1, 3, 9, 27, 81};
  for (int n = 0; n < digits; n++) {
    for (int i = 0; i < bytes; i++) {
      uint8_t rest = (uint8_t)(packed[i] * powers[n]);
      out[n * bytes + i] = d * (float)((rest * 3 >> 8) - 1);
    }
  }
}

// 48 bytes of five digits (as 32 + 16), 4 bytes of four digits, f16 d.
static void row_TQ1_0(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 54, out += 256) {
    float d = v_half(row + 52);
    ternary_digits(row, 32, 5, d, out);
    ternary_digits(row + 32, 16, 5, d, out + 160);
    ternary_digits(row + 48, 4, 4, d, out + 240);
  }
}

// 64 bytes of 2-bit quants: 32 bytes hold four runs of 32 elements; f16 d. d * (q - 1)
static void row_TQ2_0(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 66, out += 256) {
    float d = v_half(row + 64);
    for (int i = 0; i < 16; i++) {
      v16c q = load_bytes(row + i / 8 * 32 + i % 2 * 16) >> (uint8_t)(i / 2 % 4 * 2) & 3;
      v_store(out + 16 * i, (unsigned_floats(q) - 1.0f) * d);
    }
  }
}

#endif
