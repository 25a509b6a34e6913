// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The types whose quants are points of a grid. In addition to `scales_TYPE`, a type has `points_TYPE(block, s)`, which looks up the points
// of the 32 elements from 32 s on once, and `line_TYPE(points, l)`, which returns a line of them.
//
//   GRIDS   a parameter of the instruction set, the header with its look-ups: grids_vbmi.h, grids_loads.h
#ifndef CKERNELS_UNPACK16_GRID_H
#define CKERNELS_UNPACK16_GRID_H

#include "scales16.h"
#include GRIDS

// The points that were found, of eight elements or of four, and their signs. Types with tables (unpack16_ik.h) have no points, but keep the
// choices here.
typedef struct {
  found_8 eights;
  found_4 fours[2];
  line signs;
  const uint8_t *body;
  int s;           // elements 32 s to 32 s + 31 of the block
  line choice[2];  // for 16 elements each, or 32
  v16u starts[8];  // for types with a generator (unpack16_trellis.h)
} grid_points;

INLINE v16u words(const uint8_t *p) { return (v16u)line_load(p); }

// Repeats each of 16 bytes four times: the same value for all points of a row.
INLINE line for_each_point(v16c v) { return (line)(__builtin_convertvector(v, v16u) * 0x01010101u); }
// Returns two bits for each of four points, at the bottom of their bytes.
INLINE line pairs_of_bits(v16c v) {
  const v16u bits = __builtin_convertvector(v, v16u);
  return (line)((bits | bits << 6 | bits << 12 | bits << 18) & 0x03030303u);
}
// Returns one bit for each of four points.
INLINE line single_bits(v16c v) {
  const v16u bits = __builtin_convertvector(v, v16u);
  return (line)((bits | bits << 7 | bits << 14 | bits << 21) & 0x01010101u);
}

// Returns d * (2 * scale + 1) * 2^-3: in eighths, in which the steps of these types are whole numbers.
INLINE v16 odd_scale(const uint8_t *d, v16u scale) {
  return half_scale(d) * to_float((v16i)(scale * 2 + 1)) * v_set(0.125f);
}
INLINE v16u nibbles_of(v16c v, bool high) { return __builtin_convertvector(nibbles16(v, high), v16u); }
INLINE sub_scale odd_sub_scale(v16u scale) { return make_sub_scale((v16i)(scale * 2 + 1)); }

// ---- IQ2_XXS: 8 bytes for 32 elements: four points, then four times seven signs and the scale -------------------------

INLINE grid_points points_IQ2_XXS(block16 block, int s) {
  const uint8_t *at = block.body + 128 * s;
  return (grid_points){.eights = find_iq2_xxs(line_load(at), (line){}), .signs = even_signs(sevens(line_load(at + 64)))};
}
INLINE line line_IQ2_XXS(grid_points p, int l) { return line_of_8(grid_iq2_xxs, WT_KIND_BITS_7, p.eights, p.signs, l); }
INLINE scales16 scales_IQ2_XXS(block16 block, int s) {
  return (scales16){.scale = odd_scale(block.head, words(block.body + 128 * s + 64) >> 28)};
}

// ---- IQ3_XXS: 64 points; for 32 elements four times seven signs and the scale -----------------------------------------

INLINE grid_points points_IQ3_XXS(block16 block, int s) {
  const uint8_t *at = block.body + 128 * s;
  return (grid_points){.fours = {find_iq3_xxs(line_load(at), (line){}), find_iq3_xxs(line_load(at + 64), (line){})},
                       .signs = even_signs(sevens(line_load(block.body + 1024 + 64 * s)))};
}
INLINE line line_IQ3_XXS(grid_points p, int l) { return line_of_4(grid_iq3_xxs, WT_KIND_BITS_7, p.fours, p.signs, l); }
INLINE scales16 scales_IQ3_XXS(block16 block, int s) {
  const v16u scale = words(block.body + 1024 + 64 * s) >> 28;
  return (scales16){.scale = half_scale(block.head) * to_float((v16i)(scale * 2 + 1)) * v_set(0.25f)};
}

// ---- IQ2_XS: 16 bits for a point: nine of its number, seven signs; scales of 4 bits for 16 elements -------------------

INLINE grid_points points_IQ2_XS(block16 block, int s) {
  const uint8_t *at = block.body + 128 * s;
  const v16u a = words(at), b = words(at + 64);  // points 0 and 1, points 2 and 3
  const line low = (line)((a & 0xff) | (a >> 8 & 0xff00) | (b & 0xff) << 16 | (b << 8 & 0xff000000));
  const line high = (line)((a >> 8 & 0xff) | (a >> 16 & 0xff00) | (b << 8 & 0xff0000) | (b & 0xff000000));
  return (grid_points){.eights = find_iq2_xs(low, high & 1), .signs = even_signs(high >> 1)};
}
INLINE line line_IQ2_XS(grid_points p, int l) { return line_of_8(grid_iq2_xs, WT_KIND_BITS_7_SCALES, p.eights, p.signs, l); }
INLINE scales16 scales_of_nibbles(const uint8_t *d, const uint8_t *nibbles) {
  const v16c both = load_bytes(nibbles);
  return (scales16){.scale = half_scale(d) * v_set(0.125f),
                    .sub = {odd_sub_scale(nibbles_of(both, false)), odd_sub_scale(nibbles_of(both, true))}};
}
INLINE scales16 scales_IQ2_XS(block16 block, int s) { return scales_of_nibbles(block.head, block.head + 32 + 16 * s); }

// ---- IQ2_S: 32 lower bytes of points' numbers, 32 bytes of signs; in the head two more bits for each point, scales ----

INLINE grid_points points_IQ2_S(block16 block, int s) {
  const line high = pairs_of_bits(load_bytes(block.head + 32 + 16 * s));
  return (grid_points){.eights = find_iq2_s(line_load(block.body + 64 * s), high), .signs = line_load(block.body + 512 + 64 * s)};
}
INLINE line line_IQ2_S(grid_points p, int l) { return line_of_8(grid_iq2_s, WT_KIND_BITS_7_SCALES, p.eights, p.signs, l); }
INLINE scales16 scales_IQ2_S(block16 block, int s) { return scales_of_nibbles(block.head, block.head + 160 + 16 * s); }

// ---- IQ3_S: 64 lower bytes of points' numbers, 32 bytes of signs; in the head ninth bits, scales of 4 bits for 32 ------

INLINE grid_points points_IQ3_S(block16 block, int s) {
  const uint8_t *at = block.body + 128 * s;
  const v16c ninth = load_bytes(block.head + 32 + 16 * s);
  return (grid_points){
    .fours = {find_iq3_s(line_load(at), single_bits(ninth & 15)), find_iq3_s(line_load(at + 64), single_bits(ninth >> 4))},
    .signs = line_load(block.body + 1024 + 64 * s)};
}
INLINE line line_IQ3_S(grid_points p, int l) { return line_of_4(grid_iq3_s, WT_KIND_BITS_7, p.fours, p.signs, l); }
INLINE scales16 scales_IQ3_S(block16 block, int s) {
  const v16u scale = nibbles_of(load_bytes(block.head + 160 + 16 * (s / 2)), s % 2 == 1);
  return (scales16){.scale = half_scale(block.head) * to_float((v16i)(scale * 2 + 1))};
}

// ---- IQ1_S: 32 lower bytes of points' numbers; in the head 16 bits for 32 elements: four times three upper bits, the scale, the shift

INLINE v16u halves_of(const uint8_t *p) { return __builtin_convertvector(*(const v16h_at *)p, v16u); }

INLINE grid_points points_IQ1_S(block16 block, int s) {
  const v16u bits = halves_of(block.head + 32 + 32 * s);
  const line high = (line)((bits & 7) | (bits << 5 & 0x700) | (bits << 10 & 0x70000) | (bits << 15 & 0x7000000));
  return (grid_points){.eights = find_iq1(line_load(block.body + 64 * s), high), .signs = (line)((bits >> 15) * 0x01010101u)};
}
INLINE line line_IQ1_S(grid_points p, int l) { return line_of_8(grid_iq1, WT_KIND_BITS_5, p.eights, p.signs, l); }
INLINE scales16 scales_IQ1_S(block16 block, int s) {
  return (scales16){.scale = odd_scale(block.head, halves_of(block.head + 32 + 32 * s) >> 12 & 7)};
}

// ---- IQ1_M: 32 lower bytes of points' numbers; for each point three upper bits and the shift; in the head scales of 3 bits for 16 elements,
// and the scale of the block in four parts

INLINE grid_points points_IQ1_M(block16 block, int s) {
  const v16u bits = halves_of(block.body + 512 + 32 * s);  // a nibble for each point
  const v16u four = (bits & 15) | (bits << 4 & 0xf00) | (bits << 8 & 0xf0000) | (bits << 12 & 0xf000000);
  return (grid_points){.eights = find_iq1(line_load(block.body + 64 * s), (line)(four & 0x07070707u)),
                       .signs = (line)(four >> 3 & 0x01010101u)};
}
INLINE line line_IQ1_M(grid_points p, int l) { return line_of_8(grid_iq1, WT_KIND_BITS_5_SCALES, p.eights, p.signs, l); }
INLINE scales16 scales_IQ1_M(block16 block, int s) {
  const v16u a = halves_of(block.head), b = halves_of(block.head + 32), c = halves_of(block.head + 64), d = halves_of(block.head + 96);
  const v16h half = __builtin_convertvector(a >> 12 | (b >> 12) << 4 | (c >> 12) << 8 | (d >> 12) << 12, v16h);
  uint16_t halves[16];
  memcpy(halves, &half, sizeof half);
  const v16u scales = halves_of(block.head + 32 * (s / 2)) >> (6 * (s % 2));
  return (scales16){.scale = v_load_half(halves) * v_set(0.125f), .sub = {odd_sub_scale(scales & 7), odd_sub_scale(scales >> 3 & 7)}};
}

#endif
