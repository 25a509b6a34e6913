// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// As for AVX-512 with VNNI, but grids are looked up by vpermi2b: the types that have one.
#define GRIDS "grids_vbmi.h"
#define GRIDS_ONLY 1

#include "matmul16_avx512vnni.h"
