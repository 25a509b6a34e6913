// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Grid look-ups in memory, point by point, for instruction sets that cannot look up bytes in a large table.
#ifndef CKERNELS_GRIDS_LOADS_H
#define CKERNELS_GRIDS_LOADS_H

#include "../ground/grids.h"
#include LINES

// The lines of four points for each of 16 rows, without their signs.
typedef struct {
  line of[8];
} found_8;
typedef struct {
  line of[4];
} found_4;

typedef uint64_t u64x8 __attribute__((ext_vector_type(8)));
typedef uint16_t u16x64 __attribute__((ext_vector_type(64)));

// Writes the numbers of the points; the bytes are those of `index`.
INLINE void numbers_of(int count, line index, line high, uint16_t number[64]) {
  const u16x64 low = __builtin_convertvector(index, u16x64);
  const u16x64 all = count > 256 ? low | (__builtin_convertvector(high, u16x64) << 8 & (uint16_t)(count - 1)) : low;
  memcpy(number, &all, sizeof all);
}

// Rows are taken in an order in which a shuffle within 128 bits can bring their lower halves together, and their upper ones.
INLINE found_8 find_8(const grid_point_8 *points, int count, line index, line high) {
  uint16_t number[64];
  numbers_of(count, index, high, number);
  found_8 out;
#pragma clang loop unroll(full)
  for (int p = 0; p < 4; p++) {
#define POINT(row) points[number[4 * (row) + p]]
    const u64x8 a = {POINT(0), POINT(1), POINT(4), POINT(5), POINT(8), POINT(9), POINT(12), POINT(13)};
    const u64x8 b = {POINT(2), POINT(3), POINT(6), POINT(7), POINT(10), POINT(11), POINT(14), POINT(15)};
#undef POINT
    const v16u a4 = (v16u)a, b4 = (v16u)b;
    out.of[2 * p] = (line)__builtin_shufflevector(a4, b4, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30);
    out.of[2 * p + 1] = (line)__builtin_shufflevector(a4, b4, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
  }
  return out;
}

INLINE found_4 find_4(const grid_point_4 *points, int count, line index, line high) {
  found_4 out;
#pragma clang loop unroll(full)
  for (int p = 0; p < 4; p++) {
    v16u number = (v16u)index >> (8 * p) & 255;
    if (count > 256) number |= ((v16u)high >> (8 * p) & (uint32_t)(count / 256 - 1)) << 8;
    out.of[p] = line_gather(points, number);
  }
  return out;
}

// index: byte p of row r is the lower byte of point p's number; high: the bits above it.
#define FIND_POINTS(name, count, elements) \
  INLINE found_##elements find_##name(line index, line high) { return find_##elements(ck_grid_points_##name, count, index, high); }
EVERY_GRID(FIND_POINTS)
#undef FIND_POINTS

// Returns the four 7-bit numbers in the low 28 of each row's 32 bits, one per byte with a clear upper bit.
INLINE line sevens(line v) {
  const v16u bits = (v16u)v;
  return (line)((bits & 0x7f) | (bits << 1 & 0x7f00) | (bits << 2 & 0x7f0000) | (bits << 3 & 0x7f000000));
}

// Returns the signs of 7-bit numbers; two look-ups determine whether the number of set bits is odd.
INLINE line even_signs(line numbers) {
  const v16c odd = {0, 128, 128, 0, 128, 0, 0, 128, 128, 0, 0, 128, 0, 128, 128, 0};
  const line seven = numbers & 127;
  return seven | (line_lookup(odd, seven & 15) ^ line_lookup(odd, seven >> 4));
}

// Copies byte p of each row to all four bytes.
INLINE line spread_byte(line v, int p) {
  const v16c from = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
  return line_shuffle(v, from + (uint8_t)p);
}

// Returns all ones in byte e of a row if bit 4 (l % 2) + e of its sign byte l / 2 is set.
INLINE line signs_at(line signs, int l) {
  const v16u low = (v16u)(0x08040201u << (l % 2 * 4));
  return (line)((spread_byte(signs, l / 2) & (line)low) == (line)low);
}

// Returns line l of points of eight elements, which is half of point l / 2. Byte p of each row's signs has the signs of point p; for iq1,
// its lowest bit says whether the point is shifted down.
INLINE line line_of_8(int grid, uint32_t kind, found_8 points, line signs, int l) {
  if (grid == grid_iq1) return points.of[l] + (uint8_t)(1 + offset_of(kind)) - (spread_byte(signs, l / 2) & 1) * 2;
  const line negative = signs_at(signs, l);
  return ((points.of[l] ^ negative) - negative) + (uint8_t)offset_of(kind);
}

// Returns line l of points of four elements, of which the first four are in points[0]. Byte p of each row's signs has those of points 2p
// and 2p + 1.
INLINE line line_of_4(int grid, uint32_t kind, const found_4 points[2], line signs, int l) {
  (void)grid;
  const line negative = signs_at(signs, l);
  return ((points[l / 4].of[l % 4] ^ negative) - negative) + (uint8_t)offset_of(kind);
}

// ---- tables ---------------------------------------------------------------------------------------------------------

// Returns values[index] + added, from 32 values.
INLINE line look_up_32(const int8_t *values, int added, line index) {
  return line_lookup_32(load_bytes((const uint8_t *)values) + (uint8_t)added, load_bytes((const uint8_t *)values + 16) + (uint8_t)added,
                        index);
}

// The same from 64 values.
INLINE line look_up_64(const int8_t *values, int added, line index) {
  return line_choose(look_up_32(values, added, index & 31), look_up_32(values + 32, added, index & 31), index);
}

// Returns first[i] and second[i] for the first two of each four indices i (half 0), or for the other two.
INLINE line look_up_pairs(const int8_t *first, const int8_t *second, int added, line index, int half) {
  const v16c from = {0, 128, 1, 128, 4, 128, 5, 128, 8, 128, 9, 128, 12, 128, 13, 128};
  const v16c even = from + (uint8_t)(2 * half), odd = __builtin_shufflevector(even, even, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
  return line_shuffle(look_up_32(first, added, index), even) | line_shuffle(look_up_32(second, added, index), odd);
}

#endif
