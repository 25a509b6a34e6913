// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// vpdpbusd on one register a line.
#define V16_HALF 512
#define SIGNED_LINES 0
#define LINES "lines_512_vnni.h"
#define PRODUCTS "lines_dot.h"
#ifndef GRIDS
#define GRIDS "grids_loads.h"
#endif
#define ASKS_AHEAD 0
#ifndef SEVERAL_COLUMNS
#define SEVERAL_COLUMNS "columns_tiled.h"
#endif
#define GROUPS 2
#define COLUMNS 8
#define DEMANDING 8
#define WIDE_COLUMNS 8

#include "matmul16_body.h"
