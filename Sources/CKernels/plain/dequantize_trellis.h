// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The trellis types of ik_llama.cpp (trellis.h).
#ifndef CKERNELS_DEQUANTIZE_TRELLIS_H
#define CKERNELS_DEQUANTIZE_TRELLIS_H

#include "../ground/numbers.h"
#include "../ground/trellis.h"
#include "../ground/v16.h"
#include "dequantize_simple.h"

// Returns the numbers of states: for each state, the sum of six bits from each of its four bytes, less the mean.
INLINE v16i trellis_values(v16u states) { return (v16i)((states & TRELLIS_BITS) * 0x01010101u >> 24) - trellis_mean; }

// Returns eight numbers of each of two groups.
INLINE v16i trellis_by_8(uint32_t first, uint32_t second) {
  const v16u powers = {TRELLIS_1,
                       TRELLIS_2,
                       TRELLIS_3,
                       TRELLIS_4,
                       TRELLIS_4 * TRELLIS_1,
                       TRELLIS_4 * TRELLIS_2,
                       TRELLIS_4 * TRELLIS_3,
                       TRELLIS_4 * TRELLIS_4,
                       TRELLIS_1,
                       TRELLIS_2,
                       TRELLIS_3,
                       TRELLIS_4,
                       TRELLIS_4 * TRELLIS_1,
                       TRELLIS_4 * TRELLIS_2,
                       TRELLIS_4 * TRELLIS_3,
                       TRELLIS_4 * TRELLIS_4};
  const v16u a = first + trellis_start, b = second + trellis_start;
  return trellis_values(__builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) * powers);
}

// Returns four numbers of each of four groups.
INLINE v16i trellis_by_4(const uint32_t index[4]) {
  const v16u powers = {TRELLIS_1, TRELLIS_2, TRELLIS_3, TRELLIS_4, TRELLIS_1, TRELLIS_2, TRELLIS_3, TRELLIS_4,
                       TRELLIS_1, TRELLIS_2, TRELLIS_3, TRELLIS_4, TRELLIS_1, TRELLIS_2, TRELLIS_3, TRELLIS_4};
  const v16u start = {index[0], index[0], index[0], index[0], index[1], index[1], index[1], index[1],
                      index[2], index[2], index[2], index[2], index[3], index[3], index[3], index[3]};
  return trellis_values((start + trellis_start) * powers);
}

INLINE void store_numbers(v16i numbers, float scale, float *out) { v_store(out, __builtin_convertvector(numbers, v16) * scale); }

// For each 32 elements a byte of the number of their scale and four 13th bits of indices; 32 low bytes, 16 bytes of nibbles above them.
static void row_IQ1_KT(const uint8_t *row, int64_t blocks, float d, float *out) {
  for (; blocks > 0; blocks--, row += 56, out += 256) {
    for (int i = 0; i < 16; i++) {
      uint32_t index[2];
      for (int j = 0; j < 2; j++) {
        const int g = 2 * i + j;
        index[j] = row[8 + g] | (row[40 + g % 16] >> (g / 16 * 4) & 15u) << 8 | (row[i / 2] >> (4 + g % 4) & 1u) << 12;
      }
      store_numbers(trellis_by_8(index[0], index[1]), d * (float)iq4_values[row[i / 2] & 15], out + 16 * i);
    }
  }
}

// 8 numbers of scales, first those of the low nibbles; 32 indices.
static void row_IQ2_KT(const uint8_t *row, int64_t blocks, float d, float *out) {
  for (; blocks > 0; blocks--, row += 68, out += 256) {
    for (int i = 0; i < 16; i++) {
      const int b = i / 2, scale = iq4_values[row[b % 4] >> (b / 4 * 4) & 15];
      store_numbers(trellis_by_8(load_u16(row + 4 + 4 * i), load_u16(row + 6 + 4 * i)), d * (float)scale, out + 16 * i);
    }
  }
}

// 8 scales, first those of the low nibbles; 32 indices; 32 bytes of signs of the numbers' magnitudes.
static void row_IQ3_KT(const uint8_t *row, int64_t blocks, float d, float *out) {
  for (; blocks > 0; blocks--, row += 100, out += 256) {
    for (int i = 0; i < 16; i++) {
      const int b = i / 2, scale = row[b % 4] >> (b / 4 * 4) & 15;
      const v16i number = trellis_by_8(load_u16(row + 4 + 4 * i), load_u16(row + 6 + 4 * i));
      const v16 magnitude = __builtin_convertvector(__builtin_elementwise_abs(number), v16) * (d * (float)scale);
      const v16i sign = __builtin_convertvector(load_bytes(row + 68 + i % 2 * 16) >> (uint8_t)b & 1, v16i);
      v_store(out + 16 * i, v_float(v_bits(magnitude) ^ sign << 31));  // zeros have signs too
    }
  }
}

// For each 32 elements a word: whether indices are 32768 more, the scale in seven bits, eight times three upper bits of indices; 64 low
// bytes, 32 bytes of nibbles above them.
static void row_IQ4_KT(const uint8_t *row, int64_t blocks, float d, float *out) {
  for (; blocks > 0; blocks--, row += 128, out += 256) {
    for (int i = 0; i < 16; i++) {
      const uint32_t word = load_u32(row + i / 2 * 4);
      uint32_t index[4];
      for (int j = 0; j < 4; j++) {
        const int g = 4 * i + j;
        const uint32_t upper = (row[96 + g % 32] >> (g / 32 * 4) & 15u) << 8 | (word >> (8 + 3 * (g % 8)) & 7) << 12;
        index[j] = row[32 + g] | upper | (word & 1) << 15;
      }
      store_numbers(trellis_by_4(index), d * (float)((int)((word & 255) >> 1) - 64), out + 16 * i);
    }
  }
}

#endif
