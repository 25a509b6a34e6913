// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Sixteen floats as one value: two AVX2 registers, one AVX-512 register, four NEON registers, or what the compiler makes of it.
//
// The bodies of the operations (named `_body.h`, in layer and plain) are written once on this type and compiled once for each instruction
// set, so that all of them do the same operations in the same order. Only half-precision conversions and small tables name instructions.
// V16_HALF says which conversions an x86 CPU has (0 none, 256 F16C, 512 AVX-512F).
//
// The compiler must not contract or reorder anything here: a multiplication followed by an addition is fused only where v_fma says so.
#ifndef CKERNELS_V16_H
#define CKERNELS_V16_H

#include <stdint.h>
#include <string.h>

#include "inline.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef V16_HALF
#define V16_HALF 0
#endif

#pragma clang fp contract(off)
// Vectors are passed only between inlined functions, so no calling convention applies.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float v8 __attribute__((ext_vector_type(8)));
typedef float v16 __attribute__((ext_vector_type(16)));
typedef int32_t v16i __attribute__((ext_vector_type(16)));
typedef uint32_t v16u __attribute__((ext_vector_type(16)));
typedef uint16_t v16h __attribute__((ext_vector_type(16)));
typedef int8_t v16b __attribute__((ext_vector_type(16)));
typedef uint8_t v16c __attribute__((ext_vector_type(16)));

// The same type at any address, whatever type the memory was declared with.
typedef float v16_at __attribute__((ext_vector_type(16), aligned(1), may_alias));
typedef uint16_t v16h_at __attribute__((ext_vector_type(16), aligned(1), may_alias));
typedef int8_t v16b_at __attribute__((ext_vector_type(16), aligned(1), may_alias));
typedef uint8_t v16c_at __attribute__((ext_vector_type(16), aligned(1), may_alias));

INLINE v16 v_load(const float *p) { return *(const v16_at *)p; }
INLINE void v_store(float *p, v16 a) { *(v16_at *)p = a; }
INLINE v16 v_set(float a) { return (v16)(a); }
INLINE v16 v_fma(v16 a, v16 b, v16 c) { return __builtin_elementwise_fma(a, b, c); }
// Return the greater (smaller) one; b if the comparison is false, so a NaN in b stays.
INLINE v16 v_max(v16 a, v16 b) { return a > b ? a : b; }
INLINE v16 v_min(v16 a, v16 b) { return a < b ? a : b; }
INLINE v16c load_bytes(const uint8_t *p) { return *(const v16c_at *)p; }
INLINE v16i v_bits(v16 a) { return (v16i)a; }
INLINE v16 v_float(v16i a) { return (v16)a; }

// Loads the first n of 16 lanes from memory; the others become zero.
INLINE v16 v_load_part(const float *p, int64_t n) {
  float part[16] = {0};
  memcpy(part, p, (size_t)n * sizeof(float));
  return v_load(part);
}

INLINE void v_store_part(float *p, v16 a, int64_t n) {
  float part[16];
  v_store(part, a);
  memcpy(p, part, (size_t)n * sizeof(float));
}

// Adds the lanes as a tree: lane i + lane i + 8, then 4, 2, 1.
INLINE float v_sum(v16 a) {
  float x[8];
  for (int i = 0; i < 8; i++) x[i] = a[i] + a[i + 8];
  for (int i = 0; i < 4; i++) x[i] += x[i + 4];
  for (int i = 0; i < 2; i++) x[i] += x[i + 2];
  return x[0] + x[1];
}

// Returns the greatest lane; if there are NaNs, the result may or may not be one.
INLINE float v_greatest(v16 a) {
  float x[8];
  for (int i = 0; i < 8; i++) x[i] = a[i] > a[i + 8] ? a[i] : a[i + 8];
  for (int i = 0; i < 4; i++) x[i] = x[i] > x[i + 4] ? x[i] : x[i + 4];
  for (int i = 0; i < 2; i++) x[i] = x[i] > x[i + 2] ? x[i] : x[i + 2];
  return x[0] > x[1] ? x[0] : x[1];
}

// Transposes 16 rows of 16 lanes: lane j of row i and lane i of row j change places. In each of four rounds, rows that lie `distance` apart
// exchange half of their lanes.
#define V_KEPT(lane, distance) ((lane) & (distance) ? 16 + (lane) - (distance) : (lane))
#define V_TAKEN(lane, distance) ((lane) & (distance) ? 16 + (lane) : (lane) + (distance))
#define V_LANES(of, distance)                                                                                            \
  of(0, distance), of(1, distance), of(2, distance), of(3, distance), of(4, distance), of(5, distance), of(6, distance), \
  of(7, distance), of(8, distance), of(9, distance), of(10, distance), of(11, distance), of(12, distance),               \
  of(13, distance), of(14, distance), of(15, distance)
#define V_EXCHANGE(rows, distance)                                                      \
  for (int i = 0; i < 16; i++) {                                                        \
    if (i & (distance)) continue;                                                       \
    const v16 a = (rows)[i], b = (rows)[i + (distance)];                                \
    (rows)[i] = __builtin_shufflevector(a, b, V_LANES(V_KEPT, distance));               \
    (rows)[i + (distance)] = __builtin_shufflevector(a, b, V_LANES(V_TAKEN, distance)); \
  }
INLINE void v_transpose(v16 rows[16]) {
  V_EXCHANGE(rows, 8)
  V_EXCHANGE(rows, 4)
  V_EXCHANGE(rows, 2)
  V_EXCHANGE(rows, 1)
}
#undef V_KEPT
#undef V_TAKEN
#undef V_LANES
#undef V_EXCHANGE

// Returns table[index] for 16 indices below 16.
INLINE v16b v_look_up(v16c index, const int8_t *table) {
  v16b values = *(const v16b_at *)table;
#if V16_HALF
  return (v16b)_mm_shuffle_epi8((__m128i)values, (__m128i)index);
#elif defined(__aarch64__)
  return (v16b)vqtbl1q_s8((int8x16_t)values, (uint8x16_t)index);
#else
  v16b result;
  for (int i = 0; i < 16; i++) result[i] = values[index[i]];
  return result;
#endif
}

// ---- half precision -------------------------------------------------------------------------------------------------

// Converts IEEE halves to floats, exactly. Signalling NaNs become quiet, as with the instructions.
INLINE v16 v_from_half_bits(v16h h) {
  v16i bits = __builtin_convertvector(h, v16i);
  v16i sign = (bits & 0x8000) << 16;
  v16i magnitude = (bits & 0x7fff) << 13;
  // 2^112 moves the exponent's bias from 15 to 127; the product is exact for subnormal numbers too.
  v16i finite = v_bits(v_float(magnitude) * v_set(0x1p112f));
  v16i special = magnitude | 0x7f800000 | ((bits & 0x3ff) != 0 ? (v16i)(0x400000) : (v16i)(0));
  v16i result = (bits & 0x7c00) == 0x7c00 ? special : finite;
  return v_float(result | sign);
}

// Converts floats to IEEE halves, rounded to nearest even. Too large numbers become infinite; a NaN keeps its upper bits and becomes quiet.
INLINE v16h v_to_half_bits(v16 a) {
  v16i bits = v_bits(a);
  v16i sign = (bits >> 16) & 0x8000;
  v16i magnitude = bits & 0x7fffffff;
  // Normal halves: change the bias, add half of the last place (slightly less if it is even), and truncate.
  v16i normal = (magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13;
  // Below 2^-14: 0.5 has its last place at 2^-24, so adding it rounds to a multiple of that.
  v16i small = v_bits(v_float(magnitude) + v_set(0.5f)) - 0x3f000000;
  v16i large = magnitude > 0x7f800000 ? (v16i)(0x7e00) | ((magnitude >> 13) & 0x3ff) : (v16i)(0x7c00);
  v16i result = magnitude < 0x38800000 ? small : magnitude < 0x47800000 ? normal : large;
  return __builtin_convertvector(result | sign, v16h);
}

#if defined(__aarch64__)
typedef __fp16 v16fp __attribute__((ext_vector_type(16)));
typedef __fp16 v16fp_at __attribute__((ext_vector_type(16), aligned(1), may_alias));
#endif

// Loads sixteen signed bytes.
INLINE v16 v_load_signed(const uint8_t *p) { return __builtin_convertvector(*(const v16b_at *)p, v16); }

// Loads sixteen halves.
INLINE v16 v_load_half(const uint16_t *p) {
#if V16_HALF == 512
  return (v16)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif V16_HALF == 256
  __m256 low = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
  __m256 high = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)));
  return (v16)__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif defined(__aarch64__)
  return __builtin_convertvector(*(const v16fp_at *)p, v16);
#else
  return v_from_half_bits(*(const v16h_at *)p);
#endif
}

// Loads one half from any address.
INLINE float v_half(const uint8_t *p) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
#if V16_HALF
  return _cvtsh_ss(h);
#elif defined(__aarch64__)
  __fp16 half;
  memcpy(&half, &h, sizeof half);
  return half;
#else
  uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13, bits;
  float scaled;
  memcpy(&scaled, &magnitude, sizeof scaled);
  scaled *= 0x1p112f;
  memcpy(&bits, &scaled, sizeof bits);
  if ((h & 0x7c00) == 0x7c00) bits = magnitude | 0x7f800000 | ((h & 0x3ff) ? 0x400000u : 0u);
  bits |= (uint32_t)(h & 0x8000) << 16;
  memcpy(&scaled, &bits, sizeof scaled);
  return scaled;
#endif
}

// Loads one half into all lanes.
INLINE v16 v_set_half(const uint8_t *p) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
#if V16_HALF == 512
  return (v16)_mm512_cvtph_ps(_mm256_set1_epi16((short)h));
#elif V16_HALF == 256
  v8 all = (v8)_mm256_cvtph_ps(_mm_set1_epi16((short)h));
  return __builtin_shufflevector(all, all, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
#else
  return v_set(v_half(p));
#endif
}

INLINE void v_store_half(uint16_t *p, v16 a) {
#if V16_HALF == 512
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif V16_HALF == 256
  _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph((__m256)a.lo, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  _mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph((__m256)a.hi, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(__aarch64__)
  *(v16fp_at *)p = __builtin_convertvector(a, v16fp);
#else
  *(v16h_at *)p = v_to_half_bits(a);
#endif
}

#endif
