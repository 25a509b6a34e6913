// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The 16-row kernels for AArch64 with sdot (the feature "dotprod").
#if defined(__aarch64__)
#include <arm_neon.h>

#include "matmul16.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#include "matmul16_dotprod.h"

void ck_fill_matmul16_dotprod(ck_table *table) { fill(table); }

#pragma clang attribute pop
#endif
