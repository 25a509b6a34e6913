// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The 16-row kernels of grids for AVX-512 with VNNI and VBMI.
#if defined(__x86_64__)
#include <immintrin.h>

#include "matmul16.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi"))), apply_to = function)
#include "matmul16_avx512vbmi.h"

void ck_fill_matmul16_avx512vbmi(ck_table *table) { fill(table); }

#pragma clang attribute pop
#endif
