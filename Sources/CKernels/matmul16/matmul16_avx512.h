// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// vpmaddubsw on one register a line.
#define V16_HALF 512
#define SIGNED_LINES 1
#define LINES "lines_512.h"
#define PRODUCTS "lines_pairs.h"
#define GRIDS "grids_loads.h"
#define ASKS_AHEAD ck_is_intel
#define SEVERAL_COLUMNS "columns_tiled.h"
#define GROUPS 2
#define COLUMNS 8
#define AT_ONCE 8
#define DEMANDING 8
#define WIDE_COLUMNS 8

#include "matmul16_body.h"
