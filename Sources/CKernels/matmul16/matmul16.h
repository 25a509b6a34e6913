// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The functions of the 16-row kernels that dispatch.c uses.
#ifndef CKERNELS_MATMUL16_H
#define CKERNELS_MATMUL16_H

#include <stdbool.h>

#include "CKernels.h"

// Whether this is one of Intel's CPUs, for which AVX-512 is used in another way (docs/KERNELS.md). Set before any table is handed out.
extern bool ck_is_intel;

// Each function sets the entries that it improves and leaves the rest, so that calling several in order makes a table.
void ck_fill_matmul16_portable(ck_table *table);  // all of matmul16, reads_q8, dequantize16 and quantize
#if defined(__x86_64__)
void ck_fill_matmul16_avx2(ck_table *table);
void ck_fill_matmul16_avxvnni(ck_table *table);
void ck_fill_matmul16_avx512(ck_table *table);
void ck_fill_matmul16_avx512vnni(ck_table *table);
void ck_fill_matmul16_avx512vbmi(ck_table *table);  // the types with grids only
void ck_fill_matmul16_amx(ck_table *table);
#elif defined(__aarch64__)
void ck_fill_matmul16_dotprod(ck_table *table);
#endif

#endif
