// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Lines in two registers of 256 bits (AVX2).
#ifndef CKERNELS_LINES_256_H
#define CKERNELS_LINES_256_H

#include "lines.h"

typedef uint64_t words8 __attribute__((ext_vector_type(8)));

INLINE __m256i line_low(words8 v) { return (__m256i)v.lo; }
INLINE __m256i line_high(words8 v) { return (__m256i)v.hi; }
INLINE line line_join(__m256i low, __m256i high) {
  return (line)(words8)__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
}

INLINE line line_lookup(v16c table, line index) {
  const __m256i both = _mm256_broadcastsi128_si256((__m128i)table);
  const words8 i = (words8)index;
  return line_join(_mm256_shuffle_epi8(both, line_low(i)), _mm256_shuffle_epi8(both, line_high(i)));
}

// Looks up in a table of 32 bytes, in two parts. Bit 4 of the index, moved to the top of its byte, selects the part.
INLINE __m256i half_lookup_32(__m256i low, __m256i high, __m256i index) {
  return _mm256_blendv_epi8(_mm256_shuffle_epi8(low, index), _mm256_shuffle_epi8(high, index), _mm256_slli_epi16(index, 3));
}
INLINE line line_lookup_32(v16c low, v16c high, line index) {
  const __m256i low2 = _mm256_broadcastsi128_si256((__m128i)low), high2 = _mm256_broadcastsi128_si256((__m128i)high);
  const words8 i = (words8)index;
  return line_join(half_lookup_32(low2, high2, line_low(i)), half_lookup_32(low2, high2, line_high(i)));
}

// Returns bytes of `a`, or of `b` where bit 5 of the index is set.
INLINE line line_choose(line a, line b, line index) {
  const words8 a8 = (words8)a, b8 = (words8)b, i = (words8)index;
  return line_join(_mm256_blendv_epi8(line_low(a8), line_low(b8), _mm256_slli_epi16(line_low(i), 2)),
                   _mm256_blendv_epi8(line_high(a8), line_high(b8), _mm256_slli_epi16(line_high(i), 2)));
}

// Loads four bytes for each row, at the place that its index names.
INLINE line line_gather(const uint32_t *from, v16u index) {
  const words8 i = (words8)index;
  return line_join(_mm256_i32gather_epi32((const int *)from, line_low(i), 4), _mm256_i32gather_epi32((const int *)from, line_high(i), 4));
}

// Returns the bytes that `from` names, within each 16.
INLINE line line_shuffle(line v, v16c from) {
  const __m256i both = _mm256_broadcastsi128_si256((__m128i)from);
  const words8 v8 = (words8)v;
  return line_join(_mm256_shuffle_epi8(line_low(v8), both), _mm256_shuffle_epi8(line_high(v8), both));
}

// Returns `value` in byte i if bit i of the 32 is set, else 0.
INLINE __m256i half_line_of_bits(const uint8_t *p, int value) {
  int32_t bits;
  memcpy(&bits, p, 4);
  const __m256i byte_of_each = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit_of_each = _mm256_set1_epi64x((int64_t)0x8040201008040201);
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), byte_of_each);
  return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit_of_each), bit_of_each), _mm256_set1_epi8((char)value));
}

INLINE line line_of_bits(const uint8_t *p, int value) {
  return line_join(half_line_of_bits(p, value), half_line_of_bits(p + 4, value));
}

// Returns four times two bits of byte `from` of each row, lowest first. Its nibbles are in 16-bit lanes, the high one at the top of the
// second lane. The result is the upper half of a product with a power of two: 1 for the first two bits, 2^6 for the others.
INLINE __m256i half_line_of_pairs(__m256i v, __m256i from) {
  const __m256i nibbles = _mm256_and_si256(_mm256_shuffle_epi8(v, from), _mm256_set1_epi32((int)0xf0000f00));
  return _mm256_and_si256(_mm256_mulhi_epu16(nibbles, _mm256_set1_epi32(0x04104100)), _mm256_set1_epi8(3));
}
INLINE line line_of_pairs(line v, int from) {
  const __m256i rows = _mm256_setr_epi32(0, 0x04000400, 0x08000800, 0x0c000c00, 0, 0x04000400, 0x08000800, 0x0c000c00);
  const __m256i each = _mm256_add_epi32(_mm256_set1_epi32(0x00800080 | from << 8 | from << 24), rows);
  const words8 v8 = (words8)v;
  return line_join(half_line_of_pairs(line_low(v8), each), half_line_of_pairs(line_high(v8), each));
}

// Returns digit `place` in base 3 of bytes that represent fractions: the byte times 3^place, modulo 256, times three, divided by 256.
INLINE __m256i half_line_of_digits(__m256i v, short power) {
  const __m256i three = _mm256_set1_epi16(3);
  const __m256i even_rest = _mm256_mullo_epi16(v, _mm256_set1_epi16((short)(power << 8)));
  const __m256i odd_rest = _mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi16((short)0xff00)), _mm256_set1_epi16(power));
  return _mm256_or_si256(_mm256_mulhi_epu16(even_rest, three), _mm256_slli_epi16(_mm256_mulhi_epu16(odd_rest, three), 8));
}
INLINE line line_of_digits(line v, int place) {
  static const short powers[5] = {1, 3, 9, 27, 81};
  const words8 v8 = (words8)v;
  return line_join(half_line_of_digits(line_low(v8), powers[place]), half_line_of_digits(line_high(v8), powers[place]));
}

INLINE pairs line_pairs(line w, line a) {
  const words8 w8 = (words8)w, a8 = (words8)a;
  return (pairs)line_join(_mm256_maddubs_epi16(line_low(w8), line_low(a8)), _mm256_maddubs_epi16(line_high(w8), line_high(a8)));
}

INLINE pairs line_pairs_signed(line w, line a) {
  const words8 w8 = (words8)w, a8 = (words8)a;
  const __m256i low = line_low(w8), high = line_high(w8);
  return (pairs)line_join(_mm256_maddubs_epi16(_mm256_abs_epi8(low), _mm256_sign_epi8(line_low(a8), low)),
                          _mm256_maddubs_epi16(_mm256_abs_epi8(high), _mm256_sign_epi8(line_high(a8), high)));
}

INLINE v16i pairs_total(pairs a, pairs b) {
  const words8 a8 = (words8)a, b8 = (words8)b;
  return (v16i)line_join(_mm256_madd_epi16(line_low(a8), line_low(b8)), _mm256_madd_epi16(line_high(a8), line_high(b8)));
}

#endif
