// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Sums of products for instruction sets that add four products of unsigned and signed bytes to a 32-bit sum (VNNI and similar).
//
// line_dot(sum, w, a), in LINES, is that instruction. Integer scales of 16 elements are applied as floats: all values stay below 2^24, so
// every step is exact. For kinds whose sums are larger, the scales become integers again, and the sum is rounded once.
#ifndef CKERNELS_LINES_DOT_H
#define CKERNELS_LINES_DOT_H

#include LINES

typedef v16 sub_scale;

INLINE sub_scale make_sub_scale(v16i scale) { return to_float(scale); }
INLINE sub_scale float_sub_scale(v16 scale) { return scale; }

typedef struct {
  v16i sum[2];  // of 16 elements each with sub-scales, otherwise all in the first
  v16 sub[2];
} part;

INLINE v16i start_of_16(v16i sums, int offset) { return sums * -offset; }

INLINE part part_start(uint32_t kind, part p, int32_t start, int half, const sub_scale *sub) {
  p.sum[half] = (v16i)(start);
  if (has_sub_scales(kind)) p.sub[half] = sub[half];
  return p;
}

INLINE part part_add(uint32_t kind, part p, line w, line a, int l, const sub_scale *sub) {
  (void)sub;
  v16i *sum = &p.sum[has_sub_scales(kind) ? l / 4 : 0];
  *sum = line_dot(*sum, w, a);
  return p;
}

INLINE v16 part_value(uint32_t kind, part p) {
  if (!has_sub_scales(kind)) return to_float(p.sum[0]);
  if (has_large_sums(kind)) {
    return to_float(p.sum[0] * __builtin_convertvector(p.sub[0], v16i) + p.sum[1] * __builtin_convertvector(p.sub[1], v16i));
  }
  return v_fma(to_float(p.sum[1]), p.sub[1], to_float(p.sum[0]) * p.sub[0]);
}

#endif
