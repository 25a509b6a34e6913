// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Grid look-ups by vpermi2b (AVX-512-VBMI), which looks up 64 bytes in a table of 128 at once. The result is a point's codes. They become
// values when a line is made, by one more look-up whose index also contains the sign.
#ifndef CKERNELS_GRIDS_VBMI_H
#define CKERNELS_GRIDS_VBMI_H

#include <immintrin.h>

#include "../ground/grids.h"
#include LINES

// Four points for each of 16 rows: byte p of row r has the lower, or upper, half of the codes of point p.
typedef struct {
  line low, high;
} found_codes;
typedef found_codes found_8;  // of points of eight elements
typedef found_codes found_4;  // of points of four

// Returns entries `index + 256 * high` of a table of `count` bytes.
INLINE line look_up_plane(const uint8_t *plane, int count, line index, line high) {
  __m512i found[16];
  const __mmask64 bits[4] = {
    _mm512_movepi8_mask((__m512i)index), _mm512_test_epi8_mask((__m512i)high, _mm512_set1_epi8(1)),
    _mm512_test_epi8_mask((__m512i)high, _mm512_set1_epi8(2)), _mm512_test_epi8_mask((__m512i)high, _mm512_set1_epi8(4)),
  };
#pragma clang loop unroll(full)
  for (int i = 0; i < count / 128; i++) {
    const __m512i first = (__m512i)line_load(plane + 128 * i), second = (__m512i)line_load(plane + 128 * i + 64);
    found[i] = _mm512_permutex2var_epi8(first, (__m512i)index, second);
  }
#pragma clang loop unroll(full)
  for (int left = count / 256, bit = 0; left > 0; left /= 2, bit++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < left; i++) found[i] = _mm512_mask_blend_epi8(bits[bit], found[2 * i], found[2 * i + 1]);
  }
  return (line)found[0];
}

// index: byte p of row r is the lower byte of point p's number; high: the bits above it.
#define FIND_POINTS(name, count, elements)                                            \
  INLINE found_##elements find_##name(line index, line high) {                        \
    return (found_codes){look_up_plane(ck_grid_planes_##name[0], count, index, high), \
                         look_up_plane(ck_grid_planes_##name[1], count, index, high)}; \
  }
EVERY_GRID(FIND_POINTS)
#undef FIND_POINTS

// Returns eight bytes for each eight bytes of v, each with 8 bits from a given bit on: four for the first of two rows, and four for the
// second, 32 bits further.
INLINE line shifted_bits(line v, int b0, int b1, int b2, int b3) {
  const uint64_t first = (uint64_t)(b0 & 63) | (uint64_t)(b1 & 63) << 8 | (uint64_t)(b2 & 63) << 16 | (uint64_t)(b3 & 63) << 24;
  const uint64_t second = (uint64_t)((b0 + 32) & 63) | (uint64_t)((b1 + 32) & 63) << 8 | (uint64_t)((b2 + 32) & 63) << 16 |
                          (uint64_t)((b3 + 32) & 63) << 24;
  return (line)_mm512_multishift_epi64_epi8(_mm512_set1_epi64((int64_t)(first | second << 32)), (__m512i)v);
}

// Combines the lower `bits` bits of a with the upper ones of b.
INLINE line joined_bits(line a, line b, int bits) {
  return (line)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, _mm512_set1_epi8((char)((1 << bits) - 1)), 0xe4);
}

// Returns the four 7-bit numbers in the low 28 of each row's 32 bits, one per byte; the upper bit of a byte is not cleared.
INLINE line sevens(line v) { return shifted_bits(v, 0, 7, 14, 21); }

// Returns the signs of 7-bit numbers.
INLINE line even_signs(line numbers) {
  return (line)_mm512_permutex2var_epi8((__m512i)line_load(ck_even_signs), (__m512i)numbers, (__m512i)line_load(ck_even_signs + 64));
}

// Moves bit 4 (l % 2) + e of each row's sign byte l / 2 to bit `at` of byte e.
INLINE line signs_at(line signs, int l, int at) {
  const int first = 4 * l - at;
  return shifted_bits(signs, first, first + 1, first + 2, first + 3);
}

// Returns the values of codes of `bits` bits with the sign above them, as the bytes of a line of kind `kind`.
INLINE line values_of(int grid, uint32_t kind, int bits, line index) {
  line table;
#pragma clang loop unroll(full)
  for (int i = 0; i < 64; i++) {
    const int code = i & ((1 << bits) - 1), value = grid_value(grid, code), shift = i >> bits & 1;
    const int with_sign = grid == grid_iq1 ? value + (shift ? -1 : 1) : shift ? -value : value;
    table[i] = (uint8_t)(with_sign + offset_of(kind));
  }
  return (line)_mm512_permutexvar_epi8((__m512i)index, (__m512i)table);
}

// Returns line l of points of eight elements, which is half of point l / 2. Byte p of each row's signs has the signs of point p; for iq1,
// its lowest bit says whether the point is shifted down.
INLINE line line_of_8(int grid, uint32_t kind, found_8 points, line signs, int l) {
  const int p = 8 * (l / 2);
  const line codes = shifted_bits(l % 2 == 0 ? points.low : points.high, p, p + 2, p + 4, p + 6);
  const line sign = grid == grid_iq1 ? shifted_bits(signs, p - 2, p - 2, p - 2, p - 2) : signs_at(signs, l, 2);
  return values_of(grid, kind, 2, joined_bits(codes, sign, 2));
}

// Returns line l of points of four elements, of which the first four are in points[0]. Byte p of each row's signs has those of points 2p
// and 2p + 1.
INLINE line line_of_4(int grid, uint32_t kind, const found_4 points[2], line signs, int l) {
  line both;  // each row's point l: its lower byte twice, its upper byte twice
#pragma clang loop unroll(full)
  for (int i = 0; i < 64; i++) both[i] = (uint8_t)(i / 4 * 4 + l % 4 + (i % 4 >= 2 ? 64 : 0));
  const found_4 four = points[l / 4];
  both = (line)_mm512_permutex2var_epi8((__m512i)four.low, (__m512i)both, (__m512i)four.high);
  return values_of(grid, kind, 3, joined_bits(shifted_bits(both, 0, 12, 16, 28), signs_at(signs, l, 3), 3));
}

// ---- tables ---------------------------------------------------------------------------------------------------------

// Loads two tables of 32 bytes, with a number added to all values.
INLINE line two_tables(const int8_t *first, const int8_t *second, int added) {
  line table;
#pragma clang loop unroll(full)
  for (int i = 0; i < 64; i++) table[i] = (uint8_t)((i < 32 ? first : second)[i % 32] + added);
  return table;
}

// Returns values[index] + added, from 32 values.
INLINE line look_up_32(const int8_t *values, int added, line index) {
  return (line)_mm512_permutexvar_epi8((__m512i)index, (__m512i)two_tables(values, values, added));
}

// The same from 64 values.
INLINE line look_up_64(const int8_t *values, int added, line index) {
  return (line)_mm512_permutexvar_epi8((__m512i)index, (__m512i)two_tables(values, values + 32, added));
}

// Returns first[i] and second[i] for the first two of each four indices i (half 0), or for the other two.
INLINE line look_up_pairs(const int8_t *first, const int8_t *second, int added, line index, int half) {
  const v16c from = {0, 0, 1, 1, 4, 4, 5, 5, 8, 8, 9, 9, 12, 12, 13, 13};
  const line each = line_shuffle(index, from + (uint8_t)(2 * half)) | (line)(v16u)(0x20002000u);
  return (line)_mm512_permutexvar_epi8((__m512i)each, (__m512i)two_tables(first, second, added));
}

#endif
