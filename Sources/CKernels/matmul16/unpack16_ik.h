// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The types of ik_llama.cpp whose quants are numbers of a table. A bit for 16 or 32 elements chooses between the table and the same table
// shifted by a constant. `points_TYPE(block, s)` determines once for 32 elements what the bits choose; `line_TYPE(points, l)` looks up a
// line.
//
//   look_up_32, look_up_64, look_up_pairs   a parameter of the instruction set, in GRIDS: bytes of larger tables than 16
#ifndef CKERNELS_UNPACK16_IK_H
#define CKERNELS_UNPACK16_IK_H

#include "../ground/numbers.h"
#include "scales16.h"
#include "unpack16_grid.h"

// ---- what the types share -------------------------------------------------------------------------------------------

// Loads sixteen halves as integers.
INLINE v16u integers_at(const uint8_t *p) { return __builtin_convertvector(*(const v16h_at *)p, v16u); }
// Returns `value` in the four bytes of each row whose bit `bit` is set.
INLINE line chosen(v16u bits, int bit, int value) {
  return (line)((v16i)(bits << (31 - bit)) >> 31 & (int32_t)((uint32_t)value * 0x01010101u));
}

// Looks up in a table of 16 values, as bytes of lines of a kind.
INLINE line look_up_16(const int8_t *values, uint32_t kind, line index) {
  return line_lookup(load_bytes((const uint8_t *)values) + (uint8_t)offset_of(kind), index);
}

// Return line l of quants that are stored as: two bits of each of four runs of 32 elements in 32 bytes; one bit of each of eight runs,
// moved to bit `to`; nibbles of a run of 16 in the low halves of bytes and of the next run in the high ones; nibbles of runs of 32.
INLINE line two_bits(const uint8_t *p, int s, int l) { return line_load(p + (8 * (s / 4) + l) * 64) >> (s % 4 * 2) & 3; }
INLINE line bit_moved(const uint8_t *p, int s, int l, int to) {
  const line bits = line_load(p + l * 64);
  return (s < to ? bits << (to - s) : bits >> (s - to)) & (uint8_t)(1 << to);
}
INLINE line nibbles_by_16(const uint8_t *p, int s, int l) { return nibbles(line_load(p + (4 * s + l % 4) * 64), l >= 4); }
INLINE line nibbles_by_32(const uint8_t *p, int s, int l) { return nibbles(line_load(p + (8 * (s / 2) + l) * 64), s % 2 == 1); }

// Returns the scales of rows, which are in the row headers.
INLINE v16 row_halves(block16 block) { return half_scale(block.rows); }
INLINE v16 row_floats(block16 block) { return v_load((const float *)(const void *)block.rows); }

// ---- IQ2_K, IQ3_K, IQ4_K, IQ5_K, IQ6_K: a scale and a choice for 16 elements -------------------------------------------

// The head has d, then the 16 bits that choose. The result is `value` in the bytes of the rows whose bit is set.
INLINE grid_points choices_of_16(block16 block, int s, int value) {
  const v16u bits = integers_at(block.head + 32);
  return (grid_points){.body = block.body, .s = s, .choice = {chosen(bits, 2 * s, value), chosen(bits, 2 * s + 1, value)}};
}

// Returns scales of six bits: the four lower bits of each come first, then the two upper bits of four scales at a time.
INLINE scales16 large_scales(block16 block, int s) {
  const v16c low = load_bytes(block.head + 128 + 16 * s), high = load_bytes(block.head + 64 + 16 * (s / 2)) >> (s % 2 * 4);
  return (scales16){.scale = half_scale(block.head),
                    .sub = {make_sub_scale(widen((low & 15) | (high & 3) << 4) - 32),
                            make_sub_scale(widen(low >> 4 | (high >> 2 & 3) << 4) - 32)}};
}

INLINE grid_points points_IQ2_K(block16 block, int s) { return choices_of_16(block, s, 4); }
INLINE line line_IQ2_K(grid_points p, int l) {
  return look_up_16(ik_values_2, WT_KIND_BITS_6_SCALES, two_bits(p.body, p.s, l) | p.choice[l / 4]);
}
INLINE scales16 scales_IQ2_K(block16 block, int s) {
  const v16c both = load_bytes(block.head + 64 + 16 * s);
  return (scales16){.scale = half_scale(block.head),
                    .sub = {make_sub_scale(widen(both & 15) - 8), make_sub_scale(widen(both >> 4) - 8)}};
}

INLINE grid_points points_IQ3_K(block16 block, int s) { return choices_of_16(block, s, 8); }
INLINE line line_IQ3_K(grid_points p, int l) {
  const line index = two_bits(p.body, p.s, l) | bit_moved(p.body + 1024, p.s, l, 2);
  return look_up_16(ik_values_3, WT_KIND_BITS_7_SCALES, index | p.choice[l / 4]);
}
INLINE sub_scale odd_or_negative(v16c nibble, v16u negative) {
  const v16i sign = -(v16i)(negative & 1);
  return make_sub_scale(((widen(nibble) * 2 + 1) ^ sign) - sign);
}
INLINE scales16 scales_IQ3_K(block16 block, int s) {
  const v16c both = load_bytes(block.head + 96 + 16 * s);
  const v16u signs = integers_at(block.head + 64) >> (2 * s);
  return (scales16){.scale = half_scale(block.head), .sub = {odd_or_negative(both & 15, signs), odd_or_negative(both >> 4, signs >> 1)}};
}

INLINE grid_points points_IQ4_K(block16 block, int s) { return choices_of_16(block, s, ik_shift_4); }
INLINE line line_IQ4_K(grid_points p, int l) {
  return look_up_16(iq4_values, WT_KIND_BITS_8_SCALES, nibbles_by_16(p.body, p.s, l)) + p.choice[l / 4];
}
INLINE scales16 scales_IQ4_K(block16 block, int s) { return large_scales(block, s); }

INLINE grid_points points_IQ5_K(block16 block, int s) { return choices_of_16(block, s, ik_shift_5); }
INLINE line line_IQ5_K(grid_points p, int l) {
  const line index = nibbles_by_32(p.body, p.s, l) | bit_moved(p.body + 2048, p.s, l, 4);
  return look_up_32(ik_values_5, offset_of(WT_KIND_BITS_8_SCALES), index) + p.choice[l / 4];
}
INLINE scales16 scales_IQ5_K(block16 block, int s) { return large_scales(block, s); }

// Scales have eight bits.
INLINE grid_points points_IQ6_K(block16 block, int s) { return choices_of_16(block, s, ik_shift_6); }
INLINE line line_IQ6_K(grid_points p, int l) {
  const line high = line_load(p.body + 2048 + (8 * (p.s / 4) + l) * 64);
  const int shift = p.s % 4 * 2;
  const line index = nibbles_by_32(p.body, p.s, l) | ((shift < 4 ? high << (4 - shift) : high >> (shift - 4)) & 48);
  return look_up_64(ik_values_6, offset_of(WT_KIND_BITS_8_BYTES), index) + p.choice[l / 4];
}
INLINE scales16 scales_IQ6_K(block16 block, int s) {
  scales16 out = one_scale(block.head);
  for (int h = 0; h < 2; h++) {
    out.sub[h] = make_sub_scale(__builtin_convertvector((v16b)load_bytes(block.head + 64 + 16 * (2 * s + h)), v16i));
  }
  return out;
}

// ---- IQ4_KS, IQ5_KS, IQ4_KSS: a byte for 32 elements is the scale, and its lowest bit chooses --------------------------

INLINE grid_points choice_of_32(const uint8_t *body, int s, v16u byte, int value) {
  return (grid_points){.body = body, .s = s, .choice = {chosen(byte, 0, value)}};
}
INLINE scales16 scale_of_byte(block16 block, v16u byte) {
  return (scales16){.scale = row_floats(block) * to_float((v16i)(byte & 254) - 127)};
}
INLINE v16u byte_of_32(block16 block, int s) { return __builtin_convertvector(load_bytes(block.head + 16 * s), v16u); }

INLINE grid_points points_IQ4_KS(block16 block, int s) { return choice_of_32(block.body, s, byte_of_32(block, s), ik_shift_4); }
INLINE line line_IQ4_KS(grid_points p, int l) {
  return look_up_16(iq4_values, WT_KIND_BITS_8, nibbles_by_16(p.body, p.s, l)) + p.choice[0];
}
INLINE scales16 scales_IQ4_KS(block16 block, int s) { return scale_of_byte(block, byte_of_32(block, s)); }

INLINE grid_points points_IQ5_KS(block16 block, int s) { return choice_of_32(block.body, s, byte_of_32(block, s), ik_shift_5); }
INLINE line line_IQ5_KS(grid_points p, int l) {
  const line index = nibbles_by_32(p.body, p.s, l) | bit_moved(p.body + 2048, p.s, l, 4);
  return look_up_32(ik_values_5, offset_of(WT_KIND_BITS_8), index) + p.choice[0];
}
INLINE scales16 scales_IQ5_KS(block16 block, int s) { return scale_of_byte(block, byte_of_32(block, s)); }

// Returns the lowest bits of eight 16-bit words, two of which are in a row's part of a line.
INLINE v16u byte_of_words(const uint8_t *p) {
  v16u all = {};
#pragma clang loop unroll(full)
  for (int l = 0; l < 4; l++) all |= ((v16u)line_load(p + 64 * l) & 0x00010001) << (2 * l);
  return (all & 0x55) | (all >> 15 & 0xaa);
}
INLINE grid_points points_IQ4_KSS(block16 block, int s) {
  return choice_of_32(block.body, s, byte_of_words(block.body + 256 * s), ik_shift_4);
}
INLINE line line_IQ4_KSS(grid_points p, int l) {
  typedef uint16_t words __attribute__((ext_vector_type(32)));
  const words word = (words)line_load(p.body + (4 * p.s + l % 4) * 64) & 0xfffe;
  return look_up_16(iq4_values, WT_KIND_BITS_8, nibbles((line)(word ^ word >> 1), l >= 4)) + p.choice[0];
}
INLINE scales16 scales_IQ4_KSS(block16 block, int s) { return scale_of_byte(block, byte_of_words(block.body + 256 * s)); }

// ---- IQ2_KS, IQ3_KS: in heads 16 bits, upper ones of scales and those that choose, then nibbles of scales ---------------

INLINE grid_points points_IQ2_KS(block16 block, int s) {
  return (grid_points){.body = block.body, .s = s, .choice = {chosen(integers_at(block.head), s, 4)}};
}
INLINE line line_IQ2_KS(grid_points p, int l) {
  return look_up_16(ik_values_2, WT_KIND_BITS_6, two_bits(p.body, p.s, l) | p.choice[0]);
}
INLINE v16i with_fifth_bit(v16c nibble, v16u bits, int bit) { return (widen(nibble) | (v16i)(bits >> bit & 1) << 4) - 16; }
INLINE scales16 scales_IQ2_KS(block16 block, int s) {
  const v16c nibble = nibbles16(load_bytes(block.head + 32 + 16 * (s / 2)), s % 2 == 1);
  return (scales16){.scale = row_halves(block) * to_float(with_fifth_bit(nibble, integers_at(block.head), 8 + s))};
}

INLINE grid_points points_IQ3_KS(block16 block, int s) {
  return (grid_points){.body = block.body, .s = s, .choice = {chosen(integers_at(block.head), 8 + s, 8)}};
}
INLINE line line_IQ3_KS(grid_points p, int l) {
  const line index = two_bits(p.body, p.s, l) | bit_moved(p.body + 1024, p.s, l, 2);
  return look_up_16(ik_values_3, WT_KIND_BITS_7, index | p.choice[0]);
}
INLINE scales16 scales_IQ3_KS(block16 block, int s) {
  const v16c nibble = nibbles16(load_bytes(block.head + 32 + 16 * (s % 4)), s >= 4);
  return (scales16){.scale = row_halves(block) * to_float(with_fifth_bit(nibble, integers_at(block.head), s))};
}

// ---- IQ2_KL: a number of five bits for each pair of elements -----------------------------------------------------------

INLINE grid_points points_IQ2_KL(block16 block, int s) { return (grid_points){.body = block.body, .s = s}; }
INLINE line line_IQ2_KL(grid_points p, int l) {
  const line index = nibbles(line_load(p.body + (4 * (p.s / 2) + l / 2) * 64), p.s % 2 == 1) | bit_moved(p.body + 1024, p.s, l / 2, 4);
  return look_up_pairs(ik_pairs_first, ik_pairs_second, offset_of(WT_KIND_BITS_7), index, l % 2);
}
INLINE scales16 scales_IQ2_KL(block16 block, int s) {
  const v16c low = nibbles16(load_bytes(block.head + 32 + 16 * (s % 4)), s >= 4);
  const v16i high = (v16i)(integers_at(block.head) >> (2 * s) & 3);
  return (scales16){.scale = row_halves(block) * to_float((widen(low) | high << 4) - 32)};
}

#endif
