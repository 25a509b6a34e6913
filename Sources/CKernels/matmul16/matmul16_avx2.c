// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The 16-row kernels for AVX2, FMA and F16C.
#if defined(__x86_64__)
#include <immintrin.h>

#include "matmul16.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "matmul16_avx2.h"

void ck_fill_matmul16_avx2(ck_table *table) { fill(table); }

#pragma clang attribute pop
#endif
