// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The types of ik_llama.cpp whose quants are numbers of a table. A bit chooses between the table and the same table shifted by a constant.
//
// Functions with a parameter `d` are for types whose rows begin with that scale.
#ifndef CKERNELS_DEQUANTIZE_IK_H
#define CKERNELS_DEQUANTIZE_IK_H

#include "../ground/numbers.h"
#include "../ground/v16.h"
#include "dequantize_simple.h"

// Look up table[index] for 32 numbers, and for 64.
INLINE v16b look_up_32(v16c index, const int8_t *table) {
  return (index & 16) != 0 ? v_look_up(index & 15, table + 16) : v_look_up(index & 15, table);
}
INLINE v16b look_up_64(v16c index, const int8_t *table) {
  return (index & 32) != 0 ? look_up_32(index & 31, table + 32) : look_up_32(index & 31, table);
}

INLINE void store_scaled(v16b values, float scale, float *out) { v_store(out, __builtin_convertvector(values, v16) * scale); }

// Returns elements 16 s to 16 s + 15 if 32 bytes hold two bits of each of four runs of 32 elements.
INLINE v16c two_bits_of(const uint8_t *q, int s) { return load_bytes(q + s / 8 * 32 + s % 2 * 16) >> (uint8_t)(s / 2 % 4 * 2) & 3; }
// The same if 32 bytes hold one bit of each of eight runs of 32.
INLINE v16c single_bit_of(const uint8_t *q, int s) { return load_bytes(q + s % 2 * 16) >> (uint8_t)(s / 2) & 1; }
// The same if 16 bytes hold 32 elements, the first 16 in the low nibbles.
INLINE v16c nibbles_by_16(const uint8_t *q, int s) { return load_bytes(q + s / 2 * 16) >> (uint8_t)(s % 2 * 4) & 15; }
// The same if 32 bytes hold 64 elements, the first 32 in the low nibbles.
INLINE v16c nibbles_by_32(const uint8_t *q, int s) { return load_bytes(q + s / 4 * 32 + s % 2 * 16) >> (uint8_t)(s / 2 % 2 * 4) & 15; }

INLINE int nibble_of(const uint8_t *p, int i) { return p[i / 2] >> (i % 2 * 4) & 15; }
// Returns six bits, a nibble with two bits of other bytes above it, less 32.
INLINE int six_bits_of(const uint8_t *low, const uint8_t *high, int i) {
  return (nibble_of(low, i) | (high[i / 4] >> (i % 4 * 2) & 3) << 4) - 32;
}

// f16 d; 16 bits that choose; 16 4-bit scales; two bits. d * (scale - 8) * value
static void row_IQ2_K(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 76, out += 256) {
    const float d = v_half(row);
    const int extra = load_u16(row + 2);
    for (int s = 0; s < 16; s++) {
      const v16c q = two_bits_of(row + 12, s) | (uint8_t)((extra >> s & 1) << 2);
      store_scaled(v_look_up(q, ik_values_2), d * (float)(nibble_of(row + 4, s) - 8), out + 16 * s);
    }
  }
}

// f16 d; 16 bits that choose; 16 signs of the 16 4-bit scales; two bits; 32 bytes of third bits. d * ±(2 * scale + 1) * value
static void row_IQ3_K(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 110, out += 256) {
    const float d = v_half(row);
    const int extra = load_u16(row + 2), signs = load_u16(row + 4);
    for (int s = 0; s < 16; s++) {
      const v16c q = two_bits_of(row + 14, s) | single_bit_of(row + 78, s) << 2 | (uint8_t)((extra >> s & 1) << 3);
      const int scale = 2 * nibble_of(row + 6, s) + 1;
      store_scaled(v_look_up(q, ik_values_3), d * (float)(signs >> s & 1 ? -scale : scale), out + 16 * s);
    }
  }
}

// f16 d; 16 bits that choose; 16 6-bit scales; nibbles. d * (scale - 32) * value
static void row_IQ4_K(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 144, out += 256) {
    const float d = v_half(row);
    const int extra = load_u16(row + 2);
    for (int s = 0; s < 16; s++) {
      const v16b value = v_look_up(nibbles_by_16(row + 16, s), iq4_values) + (int8_t)((extra >> s & 1) * ik_shift_4);
      store_scaled(value, d * (float)six_bits_of(row + 8, row + 4, s), out + 16 * s);
    }
  }
}

// As IQ4_K, with 32 bytes of fifth bits after the nibbles.
static void row_IQ5_K(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 176, out += 256) {
    const float d = v_half(row);
    const int extra = load_u16(row + 2);
    for (int s = 0; s < 16; s++) {
      const v16c q = nibbles_by_32(row + 16, s) | single_bit_of(row + 144, s) << 4;
      const v16b value = look_up_32(q, ik_values_5) + (int8_t)((extra >> s & 1) * ik_shift_5);
      store_scaled(value, d * (float)six_bits_of(row + 8, row + 4, s), out + 16 * s);
    }
  }
}

// Returns elements 16 s to 16 s + 15 of IQ6_K.
INLINE v16c six_bit_quants(const uint8_t *block, int s) {
  const v16c high = load_bytes(block + 148 + s / 8 * 32 + s % 2 * 16) >> (uint8_t)(s / 2 % 4 * 2) & 3;
  return nibbles_by_32(block + 20, s) | high << 4;
}

// f16 d; 16 bits that choose; 16 signed scales; nibbles; 64 bytes of upper bit pairs. d * scale * a polynomial of the quant
static void row_IQ6_K(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 212, out += 256) {
    const float d = v_half(row);
    const int extra = load_u16(row + 2);
    for (int s = 0; s < 16; s++) {
      const v16 q = unsigned_floats(six_bit_quants(row, s));
      const v16 cubic = v_fma(q, v_fma(q, v_fma(q, v_set(0.0011972f), v_set(-0.11218f)), v_set(6.2568f)), v_set(-127));
      const float scale = d * (float)(int8_t)row[4 + s];
      v_store(out + 16 * s, (extra >> s & 1 ? cubic + 1.0f : cubic) * scale);
    }
  }
}

// Converts as products of IQ6_K do, which use the rounded values of the polynomial.
static void factors_IQ6_K(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 212, out += 256) {
    const float d = v_half(row);
    const int extra = load_u16(row + 2);
    for (int s = 0; s < 16; s++) {
      const v16b value = look_up_64(six_bit_quants(row, s), ik_values_6) + (int8_t)((extra >> s & 1) * ik_shift_6);
      store_scaled(value, d * (float)(int8_t)row[4 + s], out + 16 * s);
    }
  }
}

// 8 bits that choose, 8 fifth bits of the 8 scales; their nibbles; two bits. d * (scale - 16) * value
static void row_IQ2_KS(const uint8_t *row, int64_t blocks, float d, float *out) {
  for (; blocks > 0; blocks--, row += 70, out += 256) {
    for (int s = 0; s < 16; s++) {
      const int b = s / 2, scale = (nibble_of(row + 2, b) | (row[1] >> b & 1) << 4) - 16;
      const v16c q = two_bits_of(row + 6, s) | (uint8_t)((row[0] >> b & 1) << 2);
      store_scaled(v_look_up(q, ik_values_2), d * (float)scale, out + 16 * s);
    }
  }
}

// 8 fifth bits of the 8 scales, 8 bits that choose; the scales' nibbles, first those of the low halves; two bits; 32 bytes of third bits.
// d * (scale - 16) * value
static void row_IQ3_KS(const uint8_t *row, int64_t blocks, float d, float *out) {
  for (; blocks > 0; blocks--, row += 102, out += 256) {
    for (int s = 0; s < 16; s++) {
      const int b = s / 2, scale = ((row[2 + b % 4] >> (b / 4 * 4) & 15) | (row[0] >> b & 1) << 4) - 16;
      const v16c q = two_bits_of(row + 6, s) | single_bit_of(row + 70, s) << 2 | (uint8_t)((row[1] >> b & 1) << 3);
      store_scaled(v_look_up(q, ik_values_3), d * (float)scale, out + 16 * s);
    }
  }
}

// Returns the scale in the seven upper bits of a byte; the lowest bit chooses.
INLINE float scale_of_byte(uint8_t x, float d) { return d * (float)((x & 254) - 127); }

// 8 scales; nibbles.
static void row_IQ4_KS(const uint8_t *row, int64_t blocks, float d, float *out) {
  for (; blocks > 0; blocks--, row += 136, out += 256) {
    for (int s = 0; s < 16; s++) {
      const uint8_t x = row[s / 2];
      const v16b value = v_look_up(nibbles_by_16(row + 8, s), iq4_values) + (int8_t)((x & 1) * ik_shift_4);
      store_scaled(value, scale_of_byte(x, d), out + 16 * s);
    }
  }
}

// 8 scales; nibbles; 32 bytes of fifth bits.
static void row_IQ5_KS(const uint8_t *row, int64_t blocks, float d, float *out) {
  for (; blocks > 0; blocks--, row += 168, out += 256) {
    for (int s = 0; s < 16; s++) {
      const uint8_t x = row[s / 2];
      const v16c q = nibbles_by_32(row + 8, s) | single_bit_of(row + 136, s) << 4;
      store_scaled(look_up_32(q, ik_values_5) + (int8_t)((x & 1) * ik_shift_5), scale_of_byte(x, d), out + 16 * s);
    }
  }
}

// For each 32 elements there are eight words, whose lowest bits are the scale. With that bit cleared, the exclusive or of a word and the
// word shifted right by one is two bytes of nibbles.
static void row_IQ4_KSS(const uint8_t *row, int64_t blocks, float d, float *out) {
  for (; blocks > 0; blocks--, row += 128, out += 256) {
    for (int b = 0; b < 8; b++) {
      uint8_t x = 0, q[16];
      for (int i = 0; i < 8; i++) {
        uint16_t word = load_u16(row + 16 * b + 2 * i);
        x |= (uint8_t)((word & 1) << i);
        word &= 0xfffe;
        word ^= word >> 1;
        memcpy(q + 2 * i, &word, 2);
      }
      for (int h = 0; h < 2; h++) {
        const v16b value = v_look_up(nibbles_by_16(q, h), iq4_values) + (int8_t)((x & 1) * ik_shift_4);
        store_scaled(value, scale_of_byte(x, d), out + 32 * b + 16 * h);
      }
    }
  }
}

// 8 upper bit pairs of the 8 scales, their nibbles, first those of the low halves; nibbles and fifth bits of numbers of pairs of elements.
// d * (scale - 32) * value
static void row_IQ2_KL(const uint8_t *row, int64_t blocks, float d, float *out) {
  for (; blocks > 0; blocks--, row += 86, out += 256) {
    const int upper = load_u16(row);
    for (int b = 0; b < 8; b++) {
      const int scale = ((row[2 + b % 4] >> (b / 4 * 4) & 15) | (upper >> (2 * b) & 3) << 4) - 32;
      const v16c q = (load_bytes(row + 6 + b / 2 * 16) >> (uint8_t)(b % 2 * 4) & 15) | (load_bytes(row + 70) >> (uint8_t)b & 1) << 4;
      const v16b first = look_up_32(q, ik_pairs_first), second = look_up_32(q, ik_pairs_second);
      const v16b low = __builtin_shufflevector(first, second, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const v16b high = __builtin_shufflevector(first, second, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      store_scaled(low, d * (float)scale, out + 32 * b);
      store_scaled(high, d * (float)scale, out + 32 * b + 16);
    }
  }
}

#endif
