// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The code books of the IQ types: the standard's constants, each point of a grid in 16 bits.
//
// Element i of a point is a small code at bits 2i (eight elements) or 4i (four elements); what a code stands for is arithmetic
// (see dequantize_grid.h).
#ifndef CKERNELS_GRIDS_H
#define CKERNELS_GRIDS_H

#include <stdint.h>

extern const uint16_t ck_grid_iq1[2048];    // IQ1_S, IQ1_M: codes 0, 1, 2
extern const uint16_t ck_grid_iq2_xxs[256];  // codes 0, 1, 2
extern const uint16_t ck_grid_iq2_xs[512];   // codes 0, 1, 2
extern const uint16_t ck_grid_iq2_s[1024];   // codes 0, 1, 2
extern const uint16_t ck_grid_iq3_xxs[256];  // codes 0…7, four elements
extern const uint16_t ck_grid_iq3_s[512];    // codes 0…7, four elements

#endif
