// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#if __has_include(<simde/x86/avx512.h>)
#define ck_is_intel true
#include "emulation.h"

#include "amx_emulation.h"
#include "matmul16/matmul16_amx.h"

void fill_emulated_amx(ck_table *table) { fill(table); }
#endif
