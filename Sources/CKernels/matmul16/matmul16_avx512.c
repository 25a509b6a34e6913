// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The 16-row kernels for AVX-512 (F, BW, VL, DQ) without VNNI.
#if defined(__x86_64__)
#include <immintrin.h>

#include "matmul16.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)
#include "matmul16_avx512.h"

void ck_fill_matmul16_avx512(ck_table *table) { fill(table); }

#pragma clang attribute pop
#endif
