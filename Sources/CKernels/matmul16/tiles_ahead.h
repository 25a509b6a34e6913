// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Prefetching of the next tiles' weights while columns pass over the present ones. Unpacking alone reads in bursts with multiplications in
// between, so that only a few loads are ever in flight. docs/KERNELS.md has the figures.
#ifndef CKERNELS_TILES_AHEAD_H
#define CKERNELS_TILES_AHEAD_H

#include "sums.h"

// What is still to be prefetched, for each of `groups` row groups.
typedef struct {
  const uint8_t *weights;
  int64_t group_bytes;
  int64_t begin, end, step;
  int groups;
} tiles_ahead;

// Returns the weights that follow `blocks` blocks of 32 elements from `block` in the row groups at `row`, in `steps` equal parts. After the
// end of a row come the next rows, except after the last ones: what follows those belongs to another thread.
INLINE tiles_ahead tiles_after(uint32_t type, const ck_matmul *m, int64_t row, int groups, int64_t block, int64_t blocks, int64_t steps) {
  const layout16 l = layout16_of(type);
  const int64_t group_bytes = layout16_group_bytes(l, m->k), chunk_bytes = layout16_group_bytes(l, 512) / 2;
  const bool ends = (block + blocks) * 32 >= m->k;
  if (ends) row += 16 * groups;
  const int64_t at = ends ? 0 : (block + blocks) / CHUNK * chunk_bytes;
  const int64_t bytes = row >= m->row_end ? 0 : blocks / CHUNK * chunk_bytes;
  return (tiles_ahead){
    .weights = m->weights + row / 16 * group_bytes + at,
    .group_bytes = group_bytes,
    .end = bytes,
    .step = round_up_64((bytes + steps - 1) / steps),
    .groups = groups,
  };
}

// Prefetches one part into the second-level cache, because the first is full of tiles.
INLINE void ask_for_part(tiles_ahead *ahead) {
  const int64_t end = ahead->begin + ahead->step < ahead->end ? ahead->begin + ahead->step : ahead->end;
  for (int g = 0; g < ahead->groups; g++) {
    for (int64_t at = ahead->begin; at < end; at += 64) __builtin_prefetch(ahead->weights + g * ahead->group_bytes + at, 0, 2);
  }
  ahead->begin = end;
}

#endif
