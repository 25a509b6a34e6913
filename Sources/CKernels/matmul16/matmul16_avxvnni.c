// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The 16-row kernels for AVX-VNNI, with 256-bit registers.
#if defined(__x86_64__)
#include <immintrin.h>

#include "matmul16.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#include "matmul16_avxvnni.h"

void ck_fill_matmul16_avxvnni(ck_table *table) { fill(table); }

#pragma clang attribute pop
#endif
