// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Lines in four registers of 128 bits, multiplied by sdot.
#ifndef CKERNELS_LINES_NEON_H
#define CKERNELS_LINES_NEON_H

#include "lines.h"

// A line as four registers.
typedef struct {
  uint8x16_t of[4];
} line_parts;

INLINE line_parts line_split(line v) {
  line_parts parts;
  memcpy(&parts, &v, sizeof parts);
  return parts;
}

INLINE line line_join(line_parts parts) {
  line v;
  memcpy(&v, &parts, sizeof v);
  return v;
}

INLINE line line_lookup(v16c table, line index) {
  line_parts parts = line_split(index);
  for (int i = 0; i < 4; i++) parts.of[i] = vqtbl1q_u8((uint8x16_t)table, parts.of[i]);
  return line_join(parts);
}

// Looks up in a table of 32 bytes, in two parts.
INLINE line line_lookup_32(v16c low, v16c high, line index) {
  const uint8x16x2_t table = {{(uint8x16_t)low, (uint8x16_t)high}};
  line_parts parts = line_split(index);
  for (int i = 0; i < 4; i++) parts.of[i] = vqtbl2q_u8(table, parts.of[i]);
  return line_join(parts);
}

// Returns bytes of `a`, or of `b` where bit 5 of the index is set.
INLINE line line_choose(line a, line b, line index) {
  const line chosen = (line)((index & 32) != 0);
  return (a & ~chosen) | (b & chosen);
}

// Loads four bytes for each row, at the place that its index names.
INLINE line line_gather(const uint32_t *from, v16u index) {
  v16u found;
  for (int r = 0; r < 16; r++) found[r] = from[index[r]];
  return (line)found;
}

// Returns the bytes that `from` names, within each 16.
INLINE line line_shuffle(line v, v16c from) {
  line_parts parts = line_split(v);
  for (int i = 0; i < 4; i++) parts.of[i] = vqtbl1q_u8(parts.of[i], (uint8x16_t)from);
  return line_join(parts);
}

// Returns `value` in byte i if bit i of the 64 at p is set, else 0.
INLINE line line_of_bits(const uint8_t *p, int value) {
  const uint8x16_t bytes = vcombine_u8(vld1_u8(p), vdup_n_u8(0));
  const uint8x16_t bit_of_each = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
  const uint8x16_t first = vcombine_u8(vdup_n_u8(0), vdup_n_u8(1));
  line_parts parts;
  for (int i = 0; i < 4; i++) {
    const uint8x16_t spread = vqtbl1q_u8(bytes, vaddq_u8(first, vdupq_n_u8((uint8_t)(2 * i))));
    parts.of[i] = vandq_u8(vtstq_u8(spread, bit_of_each), vdupq_n_u8((uint8_t)value));
  }
  return line_join(parts);
}

// Returns four times two bits of byte `from` of each row, lowest first.
INLINE line line_of_pairs(line v, int from) {
  const uint8x16_t each = vdupq_n_u8((uint8_t)from);
  const uint8x16_t rows = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
  const int8x16_t shifts = {0, -2, -4, -6, 0, -2, -4, -6, 0, -2, -4, -6, 0, -2, -4, -6};
  line_parts parts = line_split(v);
  for (int i = 0; i < 4; i++) {
    parts.of[i] = vandq_u8(vshlq_u8(vqtbl1q_u8(parts.of[i], vaddq_u8(rows, each)), shifts), vdupq_n_u8(3));
  }
  return line_join(parts);
}

// Returns digit `place` in base 3 of bytes that represent fractions: how many thirds of 256 are in the byte times 3^place, modulo 256.
INLINE line line_of_digits(line v, int place) {
  static const uint8_t powers[5] = {1, 3, 9, 27, 81};
  const line rest = v * powers[place];
  return -((line)(rest > 85) + (line)(rest > 170));
}

INLINE v16i line_dot(v16i sum, line w, line a) {
  const line_parts w4 = line_split(w), a4 = line_split(a);
  int32x4_t sums[4];
  memcpy(sums, &sum, sizeof sums);
  for (int i = 0; i < 4; i++) sums[i] = vdotq_s32(sums[i], vreinterpretq_s8_u8(w4.of[i]), vreinterpretq_s8_u8(a4.of[i]));
  memcpy(&sum, sums, sizeof sum);
  return sum;
}

#endif
