// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The operations of a layer other than the 16-row products. dispatch.c fills its tables with them.
#ifndef CKERNELS_OPS_H
#define CKERNELS_OPS_H

#include "CKernels.h"

// Each function sets dequantize, matmul_plain for every type, attention and the element-wise operations, and nothing else.
void ck_fill_ops_portable(ck_table *table);
#if defined(__x86_64__)
void ck_fill_ops_avx2(ck_table *table);    // AVX2, FMA, F16C
void ck_fill_ops_avx512(ck_table *table);  // AVX-512 F, BW, VL, DQ
#elif defined(__aarch64__)
void ck_fill_ops_neon(ck_table *table);
#endif

#endif
