// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The types that interleave the blocks of 4 or 8 rows (the GROUPED rows of WeightTypes.h): extracts one row's block from a group's block,
// and puts it back.
//
// For each type, one list says which bits of the group's block are which bits of the row's block (a block of the base type). Both
// directions use it. A group of rows consists of its rows' headers, one after another, then its blocks, each `rows` times as large as a
// row's.
#ifndef CKERNELS_ROW_GROUPS_H
#define CKERNELS_ROW_GROUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "WeightTypes.h"
#include "inline.h"
#include "numbers.h"

// A group's block, and the block of one of its rows. Bits are added to the one that is being made.
typedef struct {
  uint8_t *group, *block;
  bool taking;  // true: the row's block is made from the group's; false: the other way round
} block_pair;

enum { largest_block = 256 };  // bytes, including the header of the row
#define CHECK(name, number, elements, bytes, header, ...) _Static_assert((bytes) + (header) <= largest_block, #name ": a block fits");
WEIGHT_TYPES(WT_NONE, WT_NONE, WT_NONE, WT_NONE, CHECK)
#undef CHECK

// Copies `mask` of the byte at `group`, from bit `group_shift` on, to or from the byte at `block`, from bit `block_shift` on.
INLINE void same_bits(block_pair p, int group, int group_shift, int block, int block_shift, int mask) {
  if (p.taking) p.block[block] |= (uint8_t)((p.group[group] >> group_shift & mask) << block_shift);
  else p.group[group] |= (uint8_t)((p.block[block] >> block_shift & mask) << group_shift);
}

// The same for four bytes each.
INLINE void same_words(block_pair p, int group, int group_shift, int block, int block_shift, int mask) {
  uint8_t *to = p.taking ? p.block + block : p.group + group;
  const uint32_t found = p.taking ? load_u32(p.group + group) >> group_shift : load_u32(p.block + block) >> block_shift;
  const uint32_t made = load_u32(to) | (found & (uint32_t)mask * 0x01010101u) << (p.taking ? block_shift : group_shift);
  memcpy(to, &made, 4);
}

// Copies one half-precision number per row, in order, to or from `block` in the row's block.
INLINE void same_half(block_pair p, int group, int r, int block) {
  for (int i = 0; i < 2; i++) same_bits(p, group + 2 * r + i, 0, block + i, 0, 255);
}

// ---- what types share -----------------------------------------------------------------------------------------------

// Copies 4-bit quants of block b of 32 elements for four rows: elements k to k + 3 in a word. `halves` says how the row stores them: a run
// of 16 elements in the low halves of bytes and the next run in the high ones, or runs of 32.
INLINE void four_bits(block_pair p, int at, int r, int b, int block, int halves) {
  for (int k = 0; k < 32; k += 4) {
    const int group = at + 64 * b + 32 * (k / 4 % 2) + 16 * (k / 16) + 4 * r, shift = k / 8 % 2 * 4;
    if (halves == 16) same_words(p, group, shift, block + 16 * b + k % 16, k / 16 * 4, 15);
    else same_words(p, group, shift, block + b / 2 * 32 + k, b % 2 * 4, 15);
  }
}

// Copies the fifth bits of these quants: the row has bit b of a byte for each of 32 elements.
INLINE void fifth_bits(block_pair p, int at, int r, int b, int block) {
  for (int k = 0; k < 32; k += 4) same_words(p, at + 16 * b + 4 * r, k / 8 + 4 * (k / 4 % 2), block + k, b, 1);
}

// Copies 2-bit quants, or the low two bits of quants: the row stores those of four runs of 32 elements in 32 bytes.
INLINE void two_bits(block_pair p, int at, int r, int b, int block) {
  for (int k = 0; k < 32; k += 4) same_words(p, at + 32 * b + 16 * (k / 16) + 4 * r, k / 4 % 4 * 2, block + b / 4 * 32 + k, b % 4 * 2, 3);
}

// Copies the choice of values for 16 elements: one bit of a byte for each row and half of a block of 32, of two bytes in a row.
INLINE void choices(block_pair p, int at, int r, int block) {
  for (int s = 0; s < 16; s++) same_bits(p, at + s % 2 * 4 + r, s / 2, block + s / 8, s % 8, 1);
}

// Copies 4-bit scales for 16 elements.
INLINE void small_scales(block_pair p, int at, int r, int block) {
  for (int s = 0; s < 16; s++) {
    const int n = 4 * s + r;
    same_bits(p, at + n % 32, n / 32 * 4, block + s / 2, s % 2 * 4, 15);
  }
}

// Copies 6-bit scales for 16 elements: four lower bits and two upper ones.
INLINE void large_scales(block_pair p, int upper, int lower, int r, int block_upper, int block_lower) {
  for (int s = 0; s < 16; s++) {
    const int n = 4 * s + r;
    same_bits(p, lower + n % 32, n / 32 * 4, block_lower + s / 2, s % 2 * 4, 15);
    same_bits(p, upper + n % 16, n / 16 * 2, block_upper + s / 4, s % 4 * 2, 3);
  }
}

// ---- types ----------------------------------------------------------------------------------------------------------

// Copies row r of a block, for each type.

static void pair_Q4_0_R8(block_pair p, int r) {
  same_half(p, 0, r, 0);
  for (int c = 0; c < 4; c++) same_words(p, 16 + 32 * c + 4 * r, 0, 2 + 4 * c, 0, 255);
}

static void pair_Q8_0_R8(block_pair p, int r) {
  same_half(p, 0, r, 0);
  for (int c = 0; c < 8; c++) same_words(p, 16 + 32 * c + 4 * r, 0, 2 + 4 * c, 0, 255);
}

static void pair_Q4_K_R4(block_pair p, int r) {
  same_half(p, 0, r, 0);
  same_half(p, 8, r, 2);
  for (int b = 0; b < 8; b++) {
    // Scales and mins of six bits, packed as in Q4_K, where those of the second four blocks are split.
    const int n = 4 * b + r, upper = 16 + n % 16, lower = 32 + n, shift = n / 16 * 4, packed = 4;
    if (b < 4) {
      same_bits(p, lower, 0, packed + b, 0, 15);
      same_bits(p, lower, 4, packed + b + 4, 0, 15);
      same_bits(p, upper, shift, packed + b, 4, 3);
      same_bits(p, upper, shift + 2, packed + b + 4, 4, 3);
    } else {
      same_bits(p, lower, 0, packed + b + 4, 0, 255);
      same_bits(p, upper, shift, packed + b - 4, 6, 3);
      same_bits(p, upper, shift + 2, packed + b, 6, 3);
    }
    four_bits(p, 64, r, b, 16, 32);
  }
}

static void pair_IQ4_XS_R8(block_pair p, int r) {
  same_half(p, 0, r, 0);
  for (int b = 0; b < 8; b++) {
    const int n = 8 * b + r;
    same_bits(p, 32 + n % 32, n / 32 * 4, 4 + b / 2, b % 2 * 4, 15);
    same_bits(p, 16 + n % 16, n / 16 * 2, 2 + b / 4, b % 4 * 2, 3);
    for (int k = 0; k < 32; k += 4) same_words(p, 64 + 128 * b + k / 8 * 32 + 4 * r, k / 4 % 2 * 4, 8 + 16 * b + k % 16, k / 16 * 4, 15);
  }
}

static void pair_IQ2_K_R4(block_pair p, int r) {
  same_half(p, 0, r, 0);
  choices(p, 8, r, 2);
  small_scales(p, 16, r, 4);
  for (int b = 0; b < 8; b++) two_bits(p, 48, r, b, 12);
}

static void pair_IQ3_K_R4(block_pair p, int r) {
  same_half(p, 0, r, 0);
  choices(p, 8, r, 2);
  for (int s = 0; s < 16; s++) same_bits(p, 16 + (4 * s + r) % 8, (4 * s + r) / 8, 4 + s / 8, s % 8, 1);  // signs of the scales
  small_scales(p, 24, r, 6);
  for (int b = 0; b < 8; b++) {
    two_bits(p, 56, r, b, 14);
    for (int k = 0; k < 32; k += 4) same_words(p, 312 + 16 * b + 4 * r, k / 4, 78 + k, b, 1);
  }
}

static void pair_IQ4_K_R4(block_pair p, int r) {
  same_half(p, 0, r, 0);
  choices(p, 8, r, 2);
  large_scales(p, 16, 32, r, 4, 8);
  for (int b = 0; b < 8; b++) four_bits(p, 64, r, b, 16, 16);
}

static void pair_IQ5_K_R4(block_pair p, int r) {
  same_half(p, 0, r, 0);
  choices(p, 8, r, 2);
  large_scales(p, 16, 32, r, 4, 8);
  for (int b = 0; b < 8; b++) {
    four_bits(p, 64, r, b, 16, 32);
    fifth_bits(p, 576, r, b, 144);
  }
}

static void pair_IQ4_KS_R4(block_pair p, int r) {
  for (int b = 0; b < 8; b++) {
    same_bits(p, 4 * b + r, 0, b, 0, 255);
    four_bits(p, 32, r, b, 8, 16);
  }
}

static void pair_IQ5_KS_R4(block_pair p, int r) {
  for (int b = 0; b < 8; b++) {
    same_bits(p, 4 * b + r, 0, b, 0, 255);
    four_bits(p, 32, r, b, 8, 32);
    fifth_bits(p, 544, r, b, 136);
  }
}

INLINE void pair_blocks(uint32_t type, block_pair p, int r) {
  switch (type) {
#define CASE(name, ...) case WT_##name: pair_##name(p, r); break;
    WEIGHT_TYPES(WT_NONE, WT_NONE, WT_NONE, WT_NONE, CASE)
#undef CASE
  }
}

// Copies the header and block `block` of row `row`, as the base type stores them, from rows of `row_bytes` bytes each at `rows`.
INLINE void take_block(uint32_t type, const uint8_t *rows, int64_t row_bytes, int64_t row, int64_t block, uint8_t *out) {
  const wt_facts *t = &wt_types[type];
  const int count = t->group_rows, header = t->row_header, r = (int)(row % count);
  const uint8_t *group = rows + (row - r) * row_bytes;
  memcpy(out, group + r * header, (size_t)header);
  memset(out + header, 0, t->bytes);
  const uint8_t *blocks = group + count * header + block * count * t->bytes;
  pair_blocks(type, (block_pair){(uint8_t *)(uintptr_t)blocks, out + header, true}, r);
}

#endif
