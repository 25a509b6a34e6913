// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The code books of the IQ types. They are constants of the format, with each point of a grid in 16 bits.
//
// Element i of a point is a small code, at bit 2i for eight elements and at bit 4i for four. The value of a code is computed.
#ifndef CKERNELS_GRIDS_H
#define CKERNELS_GRIDS_H

#include <stdint.h>

#include "inline.h"

// GRID(name, points, elements of a point)
#define EVERY_GRID(GRID)                                        \
  GRID(iq1, 2048, 8)    /* IQ1_S, IQ1_M: codes 0, 1, 2 */       \
  GRID(iq2_xxs, 256, 8) /* codes 0, 1, 2 */                     \
  GRID(iq2_xs, 512, 8)  /* codes 0, 1, 2 */                     \
  GRID(iq2_s, 1024, 8)  /* codes 0, 1, 2 */                     \
  GRID(iq3_xxs, 256, 4) /* codes 0…7 */                         \
  GRID(iq3_s, 512, 4)   /* codes 0…7 */

typedef uint64_t grid_point_8;
typedef uint32_t grid_point_4;

// For each grid: the codes; their lower and upper bytes separately, for look-ups in registers; and the points with one byte per element
// (the values of grid_value), for look-ups in memory. ck_expand_grids fills in everything but the codes, before any table of kernels is
// used.
#define GRID(name, count, elements)                        \
  extern const uint16_t ck_grid_##name[count];             \
  extern uint8_t ck_grid_planes_##name[2][count];          \
  extern grid_point_##elements ck_grid_points_##name[count];
EVERY_GRID(GRID)
#undef GRID

void ck_expand_grids(void);

// The values of the codes. IQ1: -8, 0, 8 (eighths). IQ2: 8, 25, 43. IQ3_XXS: 4, 12, 20, 28, 36, 44, 52, 62. IQ3_S: 1, 3, … 15.
enum { grid_iq1, grid_iq2_xxs, grid_iq2_xs, grid_iq2_s, grid_iq3_xxs, grid_iq3_s };
INLINE int grid_value(int grid, int code) {
  switch (grid) {
    case grid_iq1: return 8 * (code - 1);
    case grid_iq3_xxs: return 8 * code + 4 + (code == 7 ? 2 : 0);
    case grid_iq3_s: return 2 * code + 1;
    default: return 17 * code + 8 + (code >> 1);
  }
}

// Returns eight signs for a 7-bit number; the last sign makes their number even.
INLINE uint8_t even_signs_of(uint32_t number) {
  const uint32_t bits = number & 127;
  return (uint8_t)(bits | (uint32_t)(__builtin_popcount(bits) & 1) << 7);
}

// The results of even_signs_of for 0…127, filled in by ck_expand_grids.
extern uint8_t ck_even_signs[128];

#endif
