// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// As for AVX-512 with VNNI, but for many columns AMX tiles.
#define SEVERAL_COLUMNS "columns_amx.h"

#include "matmul16_avx512vnni.h"
