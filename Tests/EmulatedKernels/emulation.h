// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Intrinsics by SIMDe instead of the compiler's, for the bodies of the kernels, without its shortcuts to native instructions.
#define SIMDE_NO_NATIVE 1
#define SIMDE_ENABLE_NATIVE_ALIASES 1
#include <simde/x86/avx512.h>

// Kernels behave as on AMD's CPUs, unless a file says otherwise before it includes this.
#ifndef ck_is_intel
#define ck_is_intel false
#endif

// Vectors are passed only between functions of one file.
#pragma clang diagnostic ignored "-Wpsabi"

// Prevents the header with the compiler's own intrinsics.
#define __IMMINTRIN_H

// Wrong or missing in SIMDe 0.7.4.
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 simde_mm512_madd_epi16
#define _mm256_dpbusd_avx_epi32 simde_mm256_dpbusd_epi32
#define __mmask64 simde__mmask64
static inline simde__m512i emulated_mulhi_epu16(simde__m512i a, simde__m512i b) {
  const simde__m256i low = simde_mm256_mulhi_epu16(simde_mm512_castsi512_si256(a), simde_mm512_castsi512_si256(b));
  const simde__m256i high = simde_mm256_mulhi_epu16(simde_mm512_extracti64x4_epi64(a, 1), simde_mm512_extracti64x4_epi64(b, 1));
  return simde_mm512_inserti64x4(simde_mm512_castsi256_si512(low), high, 1);
}
#define _mm512_mulhi_epu16 emulated_mulhi_epu16

// The registers for which this orders the sums do not exist here.
#define ONE_AFTER_THE_OTHER(sum) (void)0

// Conversion of halves without instructions. V16_HALF of each kernel is defined too late to select any.
#define V16_HALF 0
#include "ground/v16.h"
#undef V16_HALF
