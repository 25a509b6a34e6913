// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Lines in one register of 512 bits (AVX-512 F, BW).
#ifndef CKERNELS_LINES_512_H
#define CKERNELS_LINES_512_H

#include "lines.h"

INLINE line line_lookup(v16c table, line index) {
  return (line)_mm512_shuffle_epi8(_mm512_broadcast_i32x4((__m128i)table), (__m512i)index);
}

// Byte i is `value` where bit i of the 64 at p is set, else 0.
INLINE line line_of_bits(const uint8_t *p, int value) {
  uint64_t bits;
  memcpy(&bits, p, 8);
  return (line)_mm512_maskz_mov_epi8(bits, _mm512_set1_epi8((char)value));
}

INLINE pairs line_pairs(line w, line a) { return (pairs)_mm512_maddubs_epi16((__m512i)w, (__m512i)a); }

INLINE pairs line_pairs_signed(line w, line a) {
  const __m512i negated = _mm512_mask_sub_epi8((__m512i)a, _mm512_movepi8_mask((__m512i)w), _mm512_setzero_si512(), (__m512i)a);
  return (pairs)_mm512_maddubs_epi16(_mm512_abs_epi8((__m512i)w), negated);
}

INLINE v16i pairs_total(pairs a, pairs b) { return (v16i)_mm512_madd_epi16((__m512i)a, (__m512i)b); }

#endif
