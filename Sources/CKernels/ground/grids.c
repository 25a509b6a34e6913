// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "grids.h"

#define GRID(name, count, elements)                                \
  _Alignas(64) uint8_t ck_grid_planes_##name[2][count];            \
  _Alignas(64) grid_point_##elements ck_grid_points_##name[count];
EVERY_GRID(GRID)
#undef GRID

_Alignas(64) uint8_t ck_even_signs[128];

void ck_expand_grids(void) {
#define GRID(name, count, elements)                                                                                       \
  for (int i = 0; i < count; i++) {                                                                                       \
    const int codes = ck_grid_##name[i], bits = 16 / elements;                                                            \
    grid_point_##elements point = 0;                                                                                      \
    for (int e = 0; e < elements; e++) {                                                                                  \
      const int code = codes >> (bits * e) & ((1 << bits) - 1);                                                           \
      point |= (grid_point_##elements)(uint8_t)grid_value(grid_##name, code) << (8 * e);                                  \
    }                                                                                                                     \
    ck_grid_planes_##name[0][i] = (uint8_t)codes;                                                                         \
    ck_grid_planes_##name[1][i] = (uint8_t)(codes >> 8);                                                                  \
    ck_grid_points_##name[i] = point;                                                                                     \
  }
  EVERY_GRID(GRID)
#undef GRID
  for (uint32_t i = 0; i < 128; i++) ck_even_signs[i] = even_signs_of(i);
}
