// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Sums of products for instruction sets that multiply unsigned with signed bytes and add two products to 16 bits (vpmaddubsw).
//
// Sixteen bits hold the sums of several lines, because a pair is at most 2 * 127 * greatest byte. `run` says how many lines. After each
// run, vpmaddwd adds the two halves of a row's 32 bits; in types with an integer scale for 16 elements, it also multiplies them by that
// scale. Wide kinds have signed lines: |w| is multiplied by a with the sign of w.
#ifndef CKERNELS_LINES_PAIRS_H
#define CKERNELS_LINES_PAIRS_H

#include LINES

typedef pairs sub_scale;

INLINE sub_scale make_sub_scale(v16i scale) { return (pairs)((scale & 0xffff) | scale << 16); }
INLINE sub_scale float_sub_scale(v16 scale) { return (pairs)scale; }

typedef struct {
  v16i sum;
  pairs run;
  v16 scaled;  // the sum so far, if scales of 16 elements are floats
} part;

INLINE int run_of(uint32_t kind) {
  if (is_wide(kind)) return 1;
  const int lines = 32767 / (2 * 127 * greatest(kind)), most = has_sub_scales(kind) ? 4 : 8;
  return lines >= most ? most : lines >= 4 ? 4 : 2;
}

// Half of the correction goes into each 16-bit half, so that one more vpmaddwd scales it. All offsets of these types are even.
INLINE v16i start_of_16(v16i sums, int offset) {
  const v16i half = sums * (-offset / 2) & 0xffff;
  return half | half << 16;
}

INLINE part part_start(uint32_t kind, part p, int32_t start, int half, const sub_scale *sub) {
  if (!has_sub_scales(kind)) {
    p.sum = (v16i)(start);
    return p;
  }
  if (has_float_scales(kind)) {
    if (half == 1) p.scaled = to_float(p.sum) * (v16)sub[0];
    p.sum = pairs_total((pairs)(v16i)(start), (pairs)(1));
    return p;
  }
  const v16i before = half == 0 ? (v16i)(0) : p.sum;
  p.sum = offset_of(kind) == 0 ? before : before + pairs_total((pairs)(v16i)(start), sub[half]);
  return p;
}

INLINE part part_add(uint32_t kind, part p, line w, line a, int l, const sub_scale *sub) {
  const int run = run_of(kind);
  const pairs products = is_wide(kind) ? line_pairs_signed(w, a) : line_pairs(w, a);
  p.run = l % run == 0 ? products : p.run + products;
  if ((l + 1) % run == 0) p.sum += pairs_total(p.run, has_integer_scales(kind) ? sub[l / 4] : (pairs)(1));
  if (has_float_scales(kind) && l == 7) p.scaled = v_fma(to_float(p.sum), (v16)sub[1], p.scaled);
  return p;
}

INLINE v16 part_value(uint32_t kind, part p) {
  return has_float_scales(kind) ? p.scaled : to_float(p.sum);
}

#endif
