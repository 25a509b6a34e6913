// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The same as for AVX-512 with VNNI, but with grid look-ups by vpermi2b, for the types that have a grid.
#define GRIDS "grids_vbmi.h"
#define GRIDS_ONLY 1

#include "matmul16_avx512vnni.h"
