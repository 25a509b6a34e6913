// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// vpdpbusd on one register a line.
#define V16_HALF 512
#define SIGNED_LINES 0
#define LINES "lines_512_vnni.h"
#define PRODUCTS "lines_dot.h"
#ifndef GRIDS
#define GRIDS "grids_loads.h"
#endif
#define ASKS_AHEAD ck_is_intel
#ifndef SEVERAL_COLUMNS
#define SEVERAL_COLUMNS "columns_tiled.h"
#ifndef GRIDS_ONLY
#define IN_PLACE_PAYS !ck_is_intel
#define IN_PLACE(X) X(Q4_0) X(Q4_1) X(Q8_0) X(Q4_K) X(IQ4_NL) X(IQ4_XS) X(MXFP4)
#endif
#endif
#define GROUPS 2
#define COLUMNS 8
#define AT_ONCE 8
#define DEMANDING 8
#define WIDE_COLUMNS 8

#include "matmul16_body.h"
