// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The same as for AVX-512 with VNNI, but with AMX tiles for many columns.
#define SEVERAL_COLUMNS "columns_amx.h"

#include "matmul16_avx512vnni.h"
