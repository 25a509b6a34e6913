// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Lines in two registers of 256 bits, multiplied by vpdpbusd (AVX-VNNI).
#ifndef CKERNELS_LINES_256_VNNI_H
#define CKERNELS_LINES_256_VNNI_H

#include "lines_256.h"

INLINE v16i line_dot(v16i sum, line w, line a) {
  const words8 sum8 = (words8)sum, w8 = (words8)w, a8 = (words8)a;
  return (v16i)line_join(_mm256_dpbusd_avx_epi32(line_low(sum8), line_low(w8), line_low(a8)),
                         _mm256_dpbusd_avx_epi32(line_high(sum8), line_high(w8), line_high(a8)));
}

#endif
