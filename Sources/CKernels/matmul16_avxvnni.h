// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// vpdpbusd on two registers a line.
#define V16_HALF 256
#define SIGNED_LINES 0
#define SEVERAL_COLUMNS "columns_tiled.h"
#define GROUPS 1
#define COLUMNS 4
#define DEMANDING 2
#define WIDE_COLUMNS 4

#include "lines_256.h"

INLINE v16i line_dot(v16i sum, line w, line a) {
  const words8 sum8 = (words8)sum, w8 = (words8)w, a8 = (words8)a;
  return (v16i)line_join(_mm256_dpbusd_avx_epi32(line_low(sum8), line_low(w8), line_low(a8)),
                         _mm256_dpbusd_avx_epi32(line_high(sum8), line_high(w8), line_high(a8)));
}

#include "lines_dot.h"
#include "unpack16.h"
#include "matmul16_body.h"
