// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// vpmaddubsw on two registers a line.
#define V16_HALF 256
#define SIGNED_LINES 1
#define LINES "lines_256.h"
#define PRODUCTS "lines_pairs.h"
#define GRIDS "grids_loads.h"
#define ASKS_AHEAD 1
#define SEVERAL_COLUMNS "columns_256.h"
#define WIDE_COLUMNS 4

#include "matmul16_body.h"
