// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// vpdpbusd on two registers a line.
#define V16_HALF 256
#define SIGNED_LINES 0
#define LINES "lines_256_vnni.h"
#define PRODUCTS "lines_dot.h"
#define GRIDS "grids_loads.h"
#define ASKS_AHEAD 1
#define SEVERAL_COLUMNS "columns_tiled.h"
#define GROUPS 1
#define COLUMNS 4
#define AT_ONCE 4
#define DEMANDING 2
#define WIDE_COLUMNS 4

#include "matmul16_body.h"
