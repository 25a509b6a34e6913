// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Lines in one register of 512 bits, multiplied by vpdpbusd (AVX-512-VNNI).
#ifndef CKERNELS_LINES_512_VNNI_H
#define CKERNELS_LINES_512_VNNI_H

#include "lines_512.h"

INLINE v16i line_dot(v16i sum, line w, line a) { return (v16i)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)a); }

#endif
