// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Unpacking from the 16-row layouts to what the kernels multiply: eight lines of bytes for 32 elements of 16 rows, and their scales.
//
// A type has two functions. `line_TYPE(body, s, l)` returns line l (elements 4 l to 4 l + 3) of the 32 elements from 32 s on in a block,
// and `scales_TYPE(head, s)` returns their scales. Bytes are unsigned and exceed the values by offset_of(kind); with SIGNED_LINES, those of
// wide kinds are signed. The functions are written on plain vectors. An instruction set adds the look-up of 16 bytes in a table
// (line_lookup), the widening of bits and of pairs of bits to bytes (line_of_bits, line_of_pairs), digits in base 3 (line_of_digits), and
// the form of the scales of 16 elements (sub_scale, make_sub_scale, float_sub_scale).
#ifndef CKERNELS_UNPACK16_H
#define CKERNELS_UNPACK16_H

#include "../ground/numbers.h"
#include "scales16.h"
#include "unpack16_grid.h"
#include "unpack16_ik.h"
#include "unpack16_trellis.h"

// The low nibbles of four lines come first, then the high ones.
INLINE line nibble_line(const uint8_t *p, int l) { return nibbles(line_load(p + l % 4 * 64), l >= 4); }

// ---- blocks of 32 elements ------------------------------------------------------------------------------------------

INLINE line line_Q4_0(const uint8_t *body, int s, int l) { return (void)s, nibble_line(body, l); }
INLINE scales16 scales_Q4_0(const uint8_t *head, int s) { return (void)s, one_scale(head); }

INLINE line line_Q4_1(const uint8_t *body, int s, int l) { return (void)s, nibble_line(body, l); }
INLINE scales16 scales_Q4_1(const uint8_t *head, int s) { return (void)s, scale_and_min(head); }

INLINE line line_Q5_0(const uint8_t *body, int s, int l) { return (void)s, nibble_line(body + 64, l) | line_of_bits(body + 8 * l, 16); }
INLINE scales16 scales_Q5_0(const uint8_t *head, int s) { return (void)s, one_scale(head); }

INLINE line line_Q5_1(const uint8_t *body, int s, int l) { return line_Q5_0(body, s, l); }
INLINE scales16 scales_Q5_1(const uint8_t *head, int s) { return (void)s, scale_and_min(head); }

INLINE line line_Q6_0(const uint8_t *body, int s, int l) {
  (void)s;
  const line high = line_load(body + l % 2 * 64);
  const int shift = l / 2 % 2 * 4 + l / 4 * 2;
  return nibble_line(body + 128, l) | ((shift < 4 ? high << (4 - shift) : high >> (shift - 4)) & 48);
}
INLINE scales16 scales_Q6_0(const uint8_t *head, int s) { return (void)s, one_scale(head); }

INLINE line line_Q8_0(const uint8_t *body, int s, int l) {
  (void)s;
  return SIGNED_LINES ? line_load(body + 64 * l) ^ 0x80 : line_load(body + 64 * l);
}
INLINE scales16 scales_Q8_0(const uint8_t *head, int s) { return (void)s, one_scale(head); }

INLINE v16c iq4_table(void) {
  const v16c table = load_bytes((const uint8_t *)iq4_values);
  return SIGNED_LINES ? table : table ^ 0x80;
}

INLINE line line_IQ4_NL(const uint8_t *body, int s, int l) { return (void)s, line_lookup(iq4_table(), nibble_line(body, l)); }
INLINE scales16 scales_IQ4_NL(const uint8_t *head, int s) { return (void)s, one_scale(head); }

INLINE line line_MXFP4(const uint8_t *body, int s, int l) {
  (void)s;
  return line_lookup(load_bytes((const uint8_t *)e2m1_values) + (uint8_t)kinds[WT_KIND_BITS_5].offset, nibble_line(body, l));
}
INLINE scales16 scales_MXFP4(const uint8_t *head, int s) {
  (void)s;
  const v16i e = widen(load_bytes(head));
  return (scales16){.scale = v_float(e < 2 ? (v16i)(0x00200000) << e : (e - 1) << 23)};
}

// ---- blocks of 64 and 128 elements ----------------------------------------------------------------------------------

// Four scales; then 8 bytes for 16 elements each: the low nibbles, then the high ones.
INLINE line line_NVFP4(const uint8_t *body, int s, int l) {
  const line index = nibbles(line_load(body + (s % 2 * 4 + l / 4 * 2 + l % 2) * 64), l % 4 >= 2);
  return line_lookup(load_bytes((const uint8_t *)e2m1_values) + (uint8_t)kinds[WT_KIND_BITS_5_FLOATS].offset, index);
}
// As half_of_ue4m3: with the same bits at another position, an E4M3 number is a half with 2^-8 of its value.
INLINE scales16 scales_NVFP4(const uint8_t *head, int s) {
  scales16 out = {.scale = v_set(1)};
  for (int h = 0; h < 2; h++) {
    const v16h bytes = __builtin_convertvector(load_bytes(head + 16 * (s % 2 * 2 + h)), v16h);
    const v16h bits = bytes == 0x7f ? (v16h)(0) : (bytes & 0x7f) << 7;
    uint16_t halves[16];
    memcpy(halves, &bits, sizeof halves);
    out.sub[h] = float_sub_scale(v_load_half(halves) * v_set(0x1p7f));
  }
  return out;
}

INLINE line line_Q1_0(const uint8_t *body, int s, int l) { return line_of_bits(body + 8 * (s % 4 * 8 + l), 2); }
INLINE scales16 scales_Q1_0(const uint8_t *head, int s) { return (void)s, one_scale(head); }

INLINE line line_Q2_0(const uint8_t *body, int s, int l) { return line_of_pairs(line_load(body + (s % 2 * 2 + l / 4) * 64), l % 4); }
INLINE scales16 scales_Q2_0(const uint8_t *head, int s) { return (void)s, one_scale(head); }

// ---- blocks of 256 elements -----------------------------------------------------------------------------------------

// Digits in base 3. Those of 32 bytes are elements 0 to 159, those of 16 bytes the next 80, those of 4 bytes the last 16.
INLINE line line_TQ1_0(const uint8_t *body, int s, int l) {
  if (s < 5) return line_of_digits(line_load(body + 64 * l), s);
  const int run = (s - 5) * 2 + l / 4;  // of 16 elements
  return run < 5 ? line_of_digits(line_load(body + 64 * (8 + l % 4)), run) : line_of_digits(line_load(body + 64 * 12), l % 4);
}
INLINE scales16 scales_TQ1_0(const uint8_t *head, int s) { return (void)s, one_scale(head); }

INLINE line line_TQ2_0(const uint8_t *body, int s, int l) { return line_load(body + (8 * (s / 4) + l) * 64) >> (s % 4 * 2) & 3; }
INLINE scales16 scales_TQ2_0(const uint8_t *head, int s) { return (void)s, one_scale(head); }


INLINE line line_Q2_K(const uint8_t *body, int s, int l) { return line_load(body + (8 * (s / 4) + l) * 64) >> (s % 4 * 2) & 3; }
INLINE scales16 scales_Q2_K(const uint8_t *head, int s) {
  scales16 out = one_scale(head);
  for (int h = 0; h < 2; h++) {
    const v16c both = load_bytes(head + 64 + 16 * (2 * s + h));
    out.sub[h] = make_sub_scale(widen(both & 15));
    out.min[h] = -(half_scale(head + 32) * to_float(widen(both >> 4)));
  }
  return out;
}

INLINE line line_Q3_K(const uint8_t *body, int s, int l) {
  const line low = line_load(body + 512 + (8 * (s / 4) + l) * 64) >> (s % 4 * 2) & 3;
  const line bit = line_load(body + l * 64);
  return low | ((s < 2 ? bit << (2 - s) : bit >> (s - 2)) & 4);
}
INLINE scales16 scales_Q3_K(const uint8_t *head, int s) {
  scales16 out = one_scale(head);
  for (int h = 0; h < 2; h++) {
    const int j = 2 * s + h;
    const v16c low = nibbles16(load_bytes(head + 32 + 16 * (j % 8)), j >= 8);
    const v16c high = load_bytes(head + 32 + 16 * (8 + j % 4)) >> (j / 4 * 2) & 3;
    out.sub[h] = make_sub_scale(widen(low | high << 4) - 32);
  }
  return out;
}

INLINE line line_Q4_K(const uint8_t *body, int s, int l) { return nibbles(line_load(body + (8 * (s / 2) + l) * 64), s % 2 == 1); }
INLINE scales16 scales_Q4_K(const uint8_t *head, int s) {
  const uint8_t *packed = head + 64;
  v16c scale, min;
  if (s < 4) {
    scale = load_bytes(packed + 16 * s) & 63;
    min = load_bytes(packed + 16 * (s + 4)) & 63;
  } else {
    const v16c both = load_bytes(packed + 16 * (s + 4));
    scale = (both & 15) | load_bytes(packed + 16 * (s - 4)) >> 6 << 4;
    min = both >> 4 | load_bytes(packed + 16 * s) >> 6 << 4;
  }
  return (scales16){.scale = half_scale(head) * to_float(widen(scale)), .min = {-(half_scale(head + 32) * to_float(widen(min)))}};
}

INLINE line line_Q5_K(const uint8_t *body, int s, int l) {
  const line bit = line_load(body + l * 64);
  return nibbles(line_load(body + 512 + (8 * (s / 2) + l) * 64), s % 2 == 1) | ((s < 4 ? bit << (4 - s) : bit >> (s - 4)) & 16);
}
INLINE scales16 scales_Q5_K(const uint8_t *head, int s) { return scales_Q4_K(head, s); }

INLINE line line_Q6_K(const uint8_t *body, int s, int l) {
  const line low = nibbles(line_load(body + (16 * (s / 4) + 8 * (s % 2) + l) * 64), s % 4 >= 2);
  const line high = line_load(body + 2048 + (8 * (s / 4) + l) * 64);
  const int shift = s % 4 * 2;
  return low | ((shift < 4 ? high << (4 - shift) : high >> (shift - 4)) & 48);
}
INLINE scales16 scales_Q6_K(const uint8_t *head, int s) {
  scales16 out = one_scale(head);
  for (int h = 0; h < 2; h++) {
    out.sub[h] = make_sub_scale(__builtin_convertvector((v16b)load_bytes(head + 32 + 16 * (2 * s + h)), v16i));
  }
  return out;
}

INLINE line line_IQ4_XS(const uint8_t *body, int s, int l) { return line_lookup(iq4_table(), nibble_line(body + 256 * s, l)); }
INLINE scales16 scales_IQ4_XS(const uint8_t *head, int s) {
  const v16c low = nibbles16(load_bytes(head + 64 + 16 * (s / 2)), s % 2 == 1);
  const v16i high = __builtin_convertvector(*(const v16h_at *)(head + 32), v16i) >> (2 * s) & 3;
  return (scales16){.scale = half_scale(head) * to_float((widen(low) | high << 4) - 32)};
}

// ---- by type --------------------------------------------------------------------------------------------------------

// Types are constants everywhere, so that only one type's operations remain of each function.

// Returns the points of 32 elements; nothing for types without points.
INLINE grid_points unpack_points(uint32_t type, block16 block, int s) {
  switch (type) {
#define CASE(name, ...) case WT_##name: return points_##name(block, s);
    WEIGHT_TYPES(WT_NONE, WT_NONE, WT_NONE, CASE, WT_NONE)
#undef CASE
  }
  return (grid_points){};
}

INLINE line unpack_line(uint32_t type, block16 block, const grid_points *points, int s, int l) {
  switch (type) {
#define CASE(name, ...) case WT_##name: return line_##name(block.body, s, l);
#define CASE_OF_GRID(name, ...) case WT_##name: return line_##name(*points, l);
    WEIGHT_TYPES(WT_NONE, WT_NONE, CASE, CASE_OF_GRID, WT_NONE)
#undef CASE
#undef CASE_OF_GRID
  }
  __builtin_unreachable();
}

INLINE scales16 unpack_scales(uint32_t type, block16 block, int s) {
  switch (type) {
#define CASE(name, ...) case WT_##name: return scales_##name(block.head, s);
#define CASE_OF_GRID(name, ...) case WT_##name: return scales_##name(block, s);
    WEIGHT_TYPES(WT_NONE, WT_NONE, CASE, CASE_OF_GRID, WT_NONE)
#undef CASE
#undef CASE_OF_GRID
  }
  __builtin_unreachable();
}

#endif
