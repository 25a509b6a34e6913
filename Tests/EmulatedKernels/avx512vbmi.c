// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#if __has_include(<simde/x86/avx512.h>)
#include "emulation.h"
#include "matmul16/matmul16_avx512vbmi.h"

void fill_emulated_avx512vbmi(ck_table *table) { fill(table); }
#endif
