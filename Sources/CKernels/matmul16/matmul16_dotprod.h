// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// sdot on four registers per line. Bytes are at most 63, or signed in wide types, so unsigned lines can be used as signed ones.
#define SIGNED_LINES 1
#define LINES "lines_neon.h"
#define PRODUCTS "lines_dot.h"
#define GRIDS "grids_loads.h"
#define ASKS_AHEAD 1
#define SEVERAL_COLUMNS "columns_tiled.h"
#define GROUPS 1
#define COLUMNS 4
#define AT_ONCE 4
#define DEMANDING 4
#define WIDE_COLUMNS 4

#include "matmul16_body.h"
