// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Lines in one register of 512 bits (AVX-512 F, BW).
#ifndef CKERNELS_LINES_512_H
#define CKERNELS_LINES_512_H

#include "lines.h"

INLINE line line_lookup(v16c table, line index) {
  return (line)_mm512_shuffle_epi8(_mm512_broadcast_i32x4((__m128i)table), (__m512i)index);
}

// Looks up in a table of 32 bytes, in two parts.
INLINE line line_lookup_32(v16c low, v16c high, line index) {
  const __mmask64 upper = _mm512_test_epi8_mask((__m512i)index, _mm512_set1_epi8(16));
  const __m512i found = _mm512_shuffle_epi8(_mm512_broadcast_i32x4((__m128i)low), (__m512i)index);
  return (line)_mm512_mask_shuffle_epi8(found, upper, _mm512_broadcast_i32x4((__m128i)high), (__m512i)index);
}

// Returns bytes of `a`, or of `b` where bit 5 of the index is set.
INLINE line line_choose(line a, line b, line index) {
  return (line)_mm512_mask_blend_epi8(_mm512_test_epi8_mask((__m512i)index, _mm512_set1_epi8(32)), (__m512i)a, (__m512i)b);
}

// Loads four bytes for each row, at the place that its index names.
INLINE line line_gather(const uint32_t *from, v16u index) {
  const __m512i i = (__m512i)index;
  const __m256i low = _mm256_i32gather_epi32((const int *)from, _mm512_castsi512_si256(i), 4);
  const __m256i high = _mm256_i32gather_epi32((const int *)from, _mm512_extracti64x4_epi64(i, 1), 4);
  return (line)_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

// Returns the bytes that `from` names, within each 16.
INLINE line line_shuffle(line v, v16c from) {
  return (line)_mm512_shuffle_epi8((__m512i)v, _mm512_broadcast_i32x4((__m128i)from));
}

// Returns `value` in byte i if bit i of the 64 at p is set, else 0.
INLINE line line_of_bits(const uint8_t *p, int value) {
  uint64_t bits;
  memcpy(&bits, p, 8);
  return (line)_mm512_maskz_mov_epi8(bits, _mm512_set1_epi8((char)value));
}

// Returns four times two bits of byte `from` of each row, lowest first. Its nibbles are in 16-bit lanes, the high one at the top of the
// second lane. The result is the upper half of a product with a power of two: 1 for the first two bits, 2^6 for the others.
INLINE line line_of_pairs(line v, int from) {
  const int at = 0x00800080 | from << 8 | from << 24;
  const __m512i spread = _mm512_shuffle_epi8((__m512i)v, _mm512_broadcast_i32x4(_mm_add_epi32(_mm_set1_epi32(at), _mm_setr_epi32(0, 0x04000400, 0x08000800, 0x0c000c00))));
  const __m512i nibbles = _mm512_and_si512(spread, _mm512_set1_epi32((int)0xf0000f00));
  return (line)_mm512_mulhi_epu16(nibbles, _mm512_set1_epi32(0x04104100)) & 3;
}

// Returns digit `place` in base 3 of bytes that represent fractions: the byte times 3^place, modulo 256, times three, divided by 256.
INLINE line line_of_digits(line v, int place) {
  static const short powers[5] = {1, 3, 9, 27, 81};
  const __m512i power = _mm512_set1_epi16(powers[place]), three = _mm512_set1_epi16(3), odd = _mm512_set1_epi16((short)0xff00);
  const __m512i even_rest = _mm512_mullo_epi16((__m512i)v, _mm512_slli_epi16(power, 8));
  const __m512i odd_rest = _mm512_mullo_epi16(_mm512_and_si512((__m512i)v, odd), power);
  return (line)_mm512_or_si512(_mm512_mulhi_epu16(even_rest, three), _mm512_slli_epi16(_mm512_mulhi_epu16(odd_rest, three), 8));
}

INLINE pairs line_pairs(line w, line a) { return (pairs)_mm512_maddubs_epi16((__m512i)w, (__m512i)a); }

INLINE pairs line_pairs_signed(line w, line a) {
  const __m512i negated = _mm512_mask_sub_epi8((__m512i)a, _mm512_movepi8_mask((__m512i)w), _mm512_setzero_si512(), (__m512i)a);
  return (pairs)_mm512_maddubs_epi16(_mm512_abs_epi8((__m512i)w), negated);
}

INLINE v16i pairs_total(pairs a, pairs b) { return (v16i)_mm512_madd_epi16((__m512i)a, (__m512i)b); }

#endif
