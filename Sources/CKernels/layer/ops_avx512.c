// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The layer operations for AVX-512 (F, BW, VL, DQ).
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "ops.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)

#define V16_HALF 512
#define OPS_WIDE 1
#include "ops_table.h"

void ck_fill_ops_avx512(ck_table *table) { fill(table); }

#pragma clang attribute pop
#endif
