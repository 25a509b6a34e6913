// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The types without super-blocks: plain numbers, and blocks of 32 to 128 elements with one scale.
#ifndef CKERNELS_DEQUANTIZE_SIMPLE_H
#define CKERNELS_DEQUANTIZE_SIMPLE_H

#include "../ground/halves.h"
#include "../ground/numbers.h"
#include "../ground/v16.h"

INLINE v16 unsigned_floats(v16c bytes) { return __builtin_convertvector(bytes, v16); }
INLINE v16 signed_floats(v16c bytes) { return __builtin_convertvector((v16b)bytes, v16); }

static void row_F32(const uint8_t *row, int64_t n, float *out) { memcpy(out, row, (size_t)n * sizeof *out); }
static void row_F16(const uint8_t *row, int64_t n, float *out) { from_f16((const uint16_t *)(const void *)row, n, out); }

static void row_BF16(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) out[i] = float_of_bf16(load_u16(row + 2 * i));
}

static void row_F64(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) {
    double value;
    memcpy(&value, row + 8 * i, sizeof value);
    out[i] = (float)value;
  }
}

static void row_I8(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) out[i] = (float)(int8_t)row[i];
}

static void row_I16(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) out[i] = (float)(int16_t)load_u16(row + 2 * i);
}

static void row_I32(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) out[i] = (float)(int32_t)load_u32(row + 4 * i);
}

static void row_I64(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) {
    int64_t value;
    memcpy(&value, row + 8 * i, sizeof value);
    out[i] = (float)value;
  }
}

// Spreads bits 0 to 15 of `bits` to 16 lanes of 0 or 1.
INLINE v16i spread_bits(uint32_t bits) {
  const v16i position = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return ((v16i)((int32_t)bits) >> position) & 1;
}

// f16 d; 16 bytes: low nibbles are elements 0 to 15. d * (q - 8)
static void row_Q4_0(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 18, out += 32) {
    float d = v_half(row);
    v16c q = load_bytes(row + 2);
    v_store(out, (unsigned_floats(q & 15) - 8.0f) * d);
    v_store(out + 16, (unsigned_floats(q >> 4) - 8.0f) * d);
  }
}

// f16 d, m; nibbles. d * q + m
static void row_Q4_1(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 20, out += 32) {
    float d = v_half(row), m = v_half(row + 2);
    v16c q = load_bytes(row + 4);
    v_store(out, unsigned_floats(q & 15) * d + m);
    v_store(out + 16, unsigned_floats(q >> 4) * d + m);
  }
}

// f16 d; u32 of fifth bits; nibbles. d * (q - 16)
static void row_Q5_0(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 22, out += 32) {
    float d = v_half(row);
    uint32_t high = load_u32(row + 2);
    v16c q = load_bytes(row + 6);
    v16i low = __builtin_convertvector(q & 15, v16i) | (spread_bits(high) << 4);
    v16i upper = __builtin_convertvector(q >> 4, v16i) | (spread_bits(high >> 16) << 4);
    v_store(out, __builtin_convertvector(low - 16, v16) * d);
    v_store(out + 16, __builtin_convertvector(upper - 16, v16) * d);
  }
}

// f16 d, m; u32 of fifth bits; nibbles. d * q + m
static void row_Q5_1(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 24, out += 32) {
    float d = v_half(row), m = v_half(row + 2);
    uint32_t high = load_u32(row + 4);
    v16c q = load_bytes(row + 8);
    v16i low = __builtin_convertvector(q & 15, v16i) | (spread_bits(high) << 4);
    v16i upper = __builtin_convertvector(q >> 4, v16i) | (spread_bits(high >> 16) << 4);
    v_store(out, __builtin_convertvector(low, v16) * d + m);
    v_store(out + 16, __builtin_convertvector(upper, v16) * d + m);
  }
}

// f16 d; 8 bytes of upper bit pairs, those of elements i, i + 16, i + 8 and i + 24 in byte i; nibbles. d * (q - 32)
static void row_Q6_0(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 26, out += 32) {
    const float d = v_half(row);
    const v16c q = load_bytes(row + 10);
    v16c high;
    memcpy(&high, row + 2, 8);
    high = __builtin_shufflevector(high, high >> 4, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    v_store(out, (unsigned_floats((q & 15) | (high & 3) << 4) - 32.0f) * d);
    v_store(out + 16, (unsigned_floats(q >> 4 | (high >> 2 & 3) << 4) - 32.0f) * d);
  }
}

// f16 d; 32 signed bytes.
static void row_Q8_0(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 34, out += 32) {
    float d = v_half(row);
    v_store(out, signed_floats(load_bytes(row + 2)) * d);
    v_store(out + 16, signed_floats(load_bytes(row + 18)) * d);
  }
}

// Looks up 16 bytes of nibbles in a table; the low nibbles become the first 16 floats.
INLINE void look_up_nibbles(const uint8_t *q, const int8_t *values, float d, float *out) {
  v16c nibbles = load_bytes(q);
  v_store(out, __builtin_convertvector(v_look_up(nibbles & 15, values), v16) * d);
  v_store(out + 16, __builtin_convertvector(v_look_up(nibbles >> 4, values), v16) * d);
}

// f16 d; nibbles.
static void row_IQ4_NL(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 18, out += 32) look_up_nibbles(row + 2, iq4_values, v_half(row), out);
}

// u8 exponent; nibbles.
static void row_MXFP4(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 17, out += 32) look_up_nibbles(row + 1, e2m1_values, half_of_e8m0(row[0]), out);
}

// Four scales; four times 8 bytes of nibbles, 16 elements each.
static void row_NVFP4(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 36, out += 64) {
    for (int i = 0; i < 4; i += 2) {
      float low[16], high[16], a = half_of_ue4m3(row[i]), b = half_of_ue4m3(row[i + 1]);
      v16c nibbles = load_bytes(row + 4 + 8 * i);
      v16 scale = {a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b};
      v_store(low, __builtin_convertvector(v_look_up(nibbles & 15, e2m1_values), v16) * scale);
      v_store(high, __builtin_convertvector(v_look_up(nibbles >> 4, e2m1_values), v16) * scale);
      for (int j = 0; j < 2; j++) {
        memcpy(out + 16 * (i + j), low + 8 * j, 8 * sizeof *out);
        memcpy(out + 16 * (i + j) + 8, high + 8 * j, 8 * sizeof *out);
      }
    }
  }
}

// f16 d; 16 bytes of sign bits: a set bit is d, a clear one -d.
static void row_Q1_0(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 18, out += 128) {
    float d = v_half(row);
    for (int i = 0; i < 8; i++) v_store(out + 16 * i, spread_bits(load_u16(row + 2 + 2 * i)) == 0 ? v_set(-d) : v_set(d));
  }
}

// f16 d; 16 bytes of four elements each, from the low bits upward. d * (q - 1)
static void row_Q2_0(const uint8_t *row, int64_t blocks, float *out) {
  const v16i shift = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30};
  for (; blocks > 0; blocks--, row += 18, out += 64) {
    float d = v_half(row);
    for (int i = 0; i < 4; i++) {
      v16i q = ((v16i)((int32_t)load_u32(row + 2 + 4 * i)) >> shift) & 3;
      v_store(out + 16 * i, __builtin_convertvector(q - 1, v16) * d);
    }
  }
}

#endif
