// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Types whose quants are points of a grid.
#ifndef CKERNELS_DEQUANTIZE_GRID_H
#define CKERNELS_DEQUANTIZE_GRID_H

#include "../ground/grids.h"
#include "../ground/numbers.h"
#include "../ground/v16.h"
#include "dequantize_simple.h"

// The kinds of codes, which have different values.
typedef enum { codes_iq1, codes_iq2, codes_iq3_xxs, codes_iq3_s } grid_codes;

// Returns sixteen elements: two points of eight.
INLINE v16 eight_each(uint16_t first, uint16_t second, grid_codes codes) {
  const v16i shift = {0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14};
  const v16i a = first, b = second;
  v16i code = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) >> shift & 3;
  // IQ1: -1, 0, 1. IQ2: 8, 25, 43.
  v16i value = codes == codes_iq1 ? code - 1 : code * 17 + 8 + (code >> 1);
  return __builtin_convertvector(value, v16);
}

// Returns sixteen elements: four points of four.
INLINE v16 four_each(uint16_t a, uint16_t b, uint16_t c, uint16_t d, grid_codes codes) {
  const v16i shift = {0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12};
  const v16i points = {a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d};
  v16i code = points >> shift & 7;
  // IQ3_XXS: 4, 12, 20, 28, 36, 44, 52, 62. IQ3_S: 1, 3, … 15.
  v16i value = codes == codes_iq3_s ? code * 2 + 1 : code * 8 + 4 + (code == 7 ? (v16i)(2) : (v16i)(0));
  return __builtin_convertvector(value, v16);
}

// Negates the lanes whose bit is set.
INLINE v16 negate(v16 a, uint32_t bits) { return v_float(v_bits(a) ^ spread_bits(bits) << 31); }

// f16 d; per 32 elements: four u8 points, then a u32 of four 7-bit signs and a 4-bit scale. d * (scale + 1/2) / 4
static void row_IQ2_XXS(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 66, out += 256) {
    float d = v_half(row);
    for (int i = 0; i < 8; i++) {
      const uint8_t *point = row + 2 + 8 * i;
      uint32_t rest = load_u32(point + 4);
      float scale = d * (0.5f + (float)(rest >> 28)) * 0.25f;
      for (int j = 0; j < 2; j++) {
        v16 value = eight_each(ck_grid_iq2_xxs[point[2 * j]], ck_grid_iq2_xxs[point[2 * j + 1]], codes_iq2);
        v_store(out + 32 * i + 16 * j, negate(value * scale, even_signs_of(rest >> 14 * j) | (uint32_t)even_signs_of(rest >> (14 * j + 7)) << 8));
      }
    }
  }
}

// f16 d; 32 u16 of a 9-bit point and 7-bit signs; 16 4-bit scales. d * (scale + 1/2) / 4
static void row_IQ2_XS(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 74, out += 256) {
    float d = v_half(row);
    for (int i = 0; i < 16; i++) {
      uint16_t first = load_u16(row + 2 + 4 * i), second = load_u16(row + 4 + 4 * i);
      float scale = d * (0.5f + (float)(row[66 + i / 2] >> (i % 2 * 4) & 15)) * 0.25f;
      v16 value = eight_each(ck_grid_iq2_xs[first & 511], ck_grid_iq2_xs[second & 511], codes_iq2);
      v_store(out + 16 * i, negate(value * scale, even_signs_of(first >> 9) | (uint32_t)even_signs_of(second >> 9) << 8));
    }
  }
}

// f16 d; 32 low bytes of points; 32 bytes of signs; 8 bytes of upper bit pairs; 16 4-bit scales. d * (scale + 1/2) / 4
static void row_IQ2_S(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 82, out += 256) {
    float d = v_half(row);
    for (int i = 0; i < 16; i++) {
      int high = row[66 + i / 2] >> (i % 2 * 4);
      int first = row[2 + 2 * i] | (high & 3) << 8, second = row[3 + 2 * i] | (high >> 2 & 3) << 8;
      float scale = d * (0.5f + (float)(row[74 + i / 2] >> (i % 2 * 4) & 15)) * 0.25f;
      v16 value = eight_each(ck_grid_iq2_s[first], ck_grid_iq2_s[second], codes_iq2);
      v_store(out + 16 * i, negate(value * scale, load_u16(row + 34 + 2 * i)));
    }
  }
}

// f16 d; 64 u8 points; per 32 elements a u32 of four 7-bit signs and a 4-bit scale. d * (scale + 1/2) / 2
static void row_IQ3_XXS(const uint8_t *row, int64_t blocks, float *out) {
  const uint16_t *grid = ck_grid_iq3_xxs;
  for (; blocks > 0; blocks--, row += 98, out += 256) {
    float d = v_half(row);
    for (int i = 0; i < 16; i++) {
      const uint8_t *point = row + 2 + 4 * i;
      uint32_t rest = load_u32(row + 66 + i / 2 * 4), signs = rest >> (i % 2 * 14);
      float scale = d * (0.5f + (float)(rest >> 28)) * 0.5f;
      v16 value = four_each(grid[point[0]], grid[point[1]], grid[point[2]], grid[point[3]], codes_iq3_xxs);
      v_store(out + 16 * i, negate(value * scale, even_signs_of(signs) | (uint32_t)even_signs_of(signs >> 7) << 8));
    }
  }
}

// f16 d; 64 low bytes of points; 8 bytes of their ninth bits; 32 bytes of signs; 8 4-bit scales. d * (1 + 2 * scale)
static void row_IQ3_S(const uint8_t *row, int64_t blocks, float *out) {
  const uint16_t *grid = ck_grid_iq3_s;
  for (; blocks > 0; blocks--, row += 110, out += 256) {
    float d = v_half(row);
    for (int i = 0; i < 16; i++) {
      const uint8_t *low = row + 2 + 4 * i;
      uint32_t ninth = (uint32_t)row[66 + i / 2] >> (i % 2 * 4);
      int scale_bits = row[106 + i / 4] >> (i / 2 % 2 * 4) & 15;
      float scale = d * (float)(1 + 2 * scale_bits);
      v16 value = four_each(
          grid[low[0] | (ninth & 1) << 8], grid[low[1] | (ninth >> 1 & 1) << 8], grid[low[2] | (ninth >> 2 & 1) << 8],
          grid[low[3] | (ninth >> 3 & 1) << 8], codes_iq3_s);
      v_store(out + 16 * i, negate(value * scale, load_u16(row + 74 + 2 * i)));
    }
  }
}

// f16 d; 32 low bytes of points; per 32 elements a u16: four times three upper bits, 3-bit scale, sign of the shift by 1/8.
// d * (2 * scale + 1) * (point ± 1/8)
static void row_IQ1_S(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 50, out += 256) {
    float d = v_half(row);
    for (int i = 0; i < 16; i++) {
      uint16_t high = load_u16(row + 34 + i / 2 * 2);
      int bits = high >> (i % 2 * 6);
      int first = row[2 + 2 * i] | (bits & 7) << 8, second = row[3 + 2 * i] | (bits >> 3 & 7) << 8;
      float scale = d * (float)(2 * (high >> 12 & 7) + 1), shift = high & 0x8000 ? -0.125f : 0.125f;
      v_store(out + 16 * i, (eight_each(ck_grid_iq1[first], ck_grid_iq1[second], codes_iq1) + shift) * scale);
    }
  }
}

// 32 low bytes of points; 16 bytes of nibbles: three upper bits and the sign of the shift by 1/8, per point; four u16 of four 3-bit
// scales (one per 16 elements) and a nibble of the f16 d. d * (2 * scale + 1) * (point ± 1/8)
static void row_IQ1_M(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 56, out += 256) {
    uint16_t half = 0;
    for (int i = 0; i < 4; i++) half |= (uint16_t)(load_u16(row + 48 + 2 * i) >> 12 << (4 * i));
    float d = v_half((const uint8_t *)&half);
    for (int i = 0; i < 16; i++) {
      int high = row[32 + i];
      int first = row[2 * i] | (high & 7) << 8, second = row[2 * i + 1] | (high >> 4 & 7) << 8;
      float scale = d * (float)(2 * (load_u16(row + 48 + i / 4 * 2) >> (i % 4 * 3) & 7) + 1);
      float a = high & 0x08 ? -0.125f : 0.125f, b = high & 0x80 ? -0.125f : 0.125f;
      v16 shift = {a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b};
      v_store(out + 16 * i, (eight_each(ck_grid_iq1[first], ck_grid_iq1[second], codes_iq1) + shift) * scale);
    }
  }
}

#endif
