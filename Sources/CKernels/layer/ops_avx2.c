// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The layer operations for AVX2, FMA and F16C.
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "ops.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define V16_HALF 256
#include "ops_table.h"

void ck_fill_ops_avx2(ck_table *table) { fill(table); }

#pragma clang attribute pop
#endif
