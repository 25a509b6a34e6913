// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The trellis types of ik_llama.cpp (trellis.h). `points_TYPE(block, s)` computes the states from which the groups of 32 elements start;
// `line_TYPE(points, l)` computes four numbers of each row. The elements of a group do not depend on each other: each has its own power of
// the constant.
#ifndef CKERNELS_UNPACK16_TRELLIS_H
#define CKERNELS_UNPACK16_TRELLIS_H

#include "../ground/trellis.h"
#include "unpack16_ik.h"

// ---- numbers --------------------------------------------------------------------------------------------------------

// Adds up the four 6-bit bytes of each element of four vectors, into the four bytes of one vector. In each step, two vectors fill each
// other's gaps.
INLINE line sums_of_bytes(v16u a, v16u b, v16u c, v16u d) {
  const v16u ab = ((a + (a >> 8)) & 0x00ff00ffu) | ((b + (b << 8)) & 0xff00ff00u);
  const v16u cd = ((c + (c >> 8)) & 0x00ff00ffu) | ((d + (d << 8)) & 0xff00ff00u);
  return (line)(((ab + (ab >> 16)) & 0x0000ffffu) | ((cd + (cd << 16)) & 0xffff0000u));
}

// Returns numbers 0 to 3 (or 4 to 7) of the groups with these starts, without subtracting their mean.
INLINE line trellis_line(v16u start, int half) {
  const v16u from = half == 0 ? start : start * TRELLIS_4;
  return sums_of_bytes(from * TRELLIS_1 & TRELLIS_BITS, from * TRELLIS_2 & TRELLIS_BITS, from * TRELLIS_3 & TRELLIS_BITS,
                       from * TRELLIS_4 & TRELLIS_BITS);
}

INLINE line centered(line sums) { return sums + (uint8_t)(offset_of(WT_KIND_BITS_8) - trellis_mean); }

// Returns byte p of each row.
INLINE v16u byte_at_of(line v, int p) { return (v16u)v >> (8 * p) & 255; }

// Returns table[nibble] for four-bit scale numbers.
INLINE v16 listed_scale(v16c number) { return __builtin_convertvector(v_look_up(number, iq4_values), v16); }

// Returns the nibble of a scale. The low nibbles of a byte in the head belong to blocks 0 to 3, the high ones to blocks 4 to 7.
INLINE v16c scale_nibble(block16 block, int s) { return nibbles16(load_bytes(block.head + 16 * (s % 4)), s >= 4); }

// ---- IQ1_KT: groups of eight; indices of 13 bits in three places ------------------------------------------------------

INLINE grid_points points_IQ1_KT(block16 block, int s) {
  const line low = line_load(block.body + 64 * s), high = line_load(block.body + 512 + 64 * (s % 4));
  const v16u last = __builtin_convertvector(load_bytes(block.head + 16 * s), v16u);
  grid_points out = {};
#pragma clang loop unroll(full)
  for (int p = 0; p < 4; p++) {
    out.starts[p] = (byte_at_of(low, p) | (byte_at_of(high, p) >> (s / 4 * 4) & 15) << 8 | (last >> (4 + p) & 1) << 12) + trellis_start;
  }
  return out;
}
INLINE line line_IQ1_KT(grid_points p, int l) { return centered(trellis_line(p.starts[l / 2], l % 2)); }
INLINE scales16 scales_IQ1_KT(block16 block, int s) {
  return (scales16){.scale = row_floats(block) * listed_scale(load_bytes(block.head + 16 * s) & 15)};
}

// ---- IQ2_KT, IQ3_KT: groups of eight, indices of 16 bits --------------------------------------------------------------

// ik_llama.cpp's products multiply the scales of these two types by a constant.

INLINE grid_points points_IQ2_KT(block16 block, int s) {
  grid_points out = {.body = block.body, .s = s};
#pragma clang loop unroll(full)
  for (int p = 0; p < 4; p++) {
    out.starts[p] = ((v16u)line_load(block.body + 128 * s + p / 2 * 64) >> (p % 2 * 16) & 0xffff) + trellis_start;
  }
  return out;
}
INLINE line line_IQ2_KT(grid_points p, int l) { return centered(trellis_line(p.starts[l / 2], l % 2)); }
INLINE scales16 scales_IQ2_KT(block16 block, int s) {
  return (scales16){.scale = row_floats(block) * v_set(ik_factor_IQ2_KT) * listed_scale(scale_nibble(block, s))};
}

INLINE grid_points points_IQ3_KT(block16 block, int s) { return points_IQ2_KT(block, s); }
INLINE line line_IQ3_KT(grid_points p, int l) {
  typedef int8_t signed_line __attribute__((ext_vector_type(64)));
  const line number = trellis_line(p.starts[l / 2], l % 2) - (uint8_t)trellis_mean;
  const line negative = -(line_load(p.body + 1024 + 64 * l) >> p.s & 1);
  return (((line)__builtin_elementwise_abs((signed_line)number) ^ negative) - negative) + (uint8_t)offset_of(WT_KIND_BITS_8);
}
INLINE scales16 scales_IQ3_KT(block16 block, int s) {
  return (scales16){.scale = row_floats(block) * v_set(ik_factor_IQ3_KT) * to_float(widen(scale_nibble(block, s)))};
}

// ---- IQ4_KT: groups of four, indices of 15 bits in three places; a bit for 32 elements moves their starts --------------

INLINE v16u word_of_32(block16 block, int s) { return (v16u)line_load(block.head + 64 * s); }
INLINE grid_points points_IQ4_KT(block16 block, int s) {
  const v16u word = word_of_32(block, s), start = ((word & 1) << 15) + trellis_start;
  grid_points out = {};
#pragma clang loop unroll(full)
  for (int l = 0; l < 8; l++) {
    const line low = line_load(block.body + 64 * (2 * s + l / 4)), high = line_load(block.body + 1024 + 64 * (s % 4 * 2 + l / 4));
    const v16u upper = (byte_at_of(high, l % 4) >> (s / 4 * 4) & 15) << 8 | (word >> (8 + 3 * l) & 7) << 12;
    out.starts[l] = (byte_at_of(low, l % 4) | upper) + start;
  }
  return out;
}
INLINE line line_IQ4_KT(grid_points p, int l) { return centered(trellis_line(p.starts[l], 0)); }
INLINE scales16 scales_IQ4_KT(block16 block, int s) {
  return (scales16){.scale = row_floats(block) * to_float((v16i)(word_of_32(block, s) >> 1 & 127) - 64)};
}

#endif
