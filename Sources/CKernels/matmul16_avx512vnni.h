// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// vpdpbusd on one register a line.
#define V16_HALF 512
#define SIGNED_LINES 0
#ifndef SEVERAL_COLUMNS
#define SEVERAL_COLUMNS "columns_tiled.h"
#endif
#define GROUPS 2
#define COLUMNS 8
#define DEMANDING 8
#define WIDE_COLUMNS 8

#include "lines_512.h"

INLINE v16i line_dot(v16i sum, line w, line a) { return (v16i)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)a); }

#include "lines_dot.h"
#include "unpack16.h"
#include "matmul16_body.h"
