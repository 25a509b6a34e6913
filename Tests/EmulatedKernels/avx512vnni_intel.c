// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#if __has_include(<simde/x86/avx512.h>)
#define ck_is_intel true
#include "emulation.h"
#include "matmul16/matmul16_avx512vnni.h"

void fill_emulated_avx512vnni_intel(ck_table *table) { fill(table); }
#endif
