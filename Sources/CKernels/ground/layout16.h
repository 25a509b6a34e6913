// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The places of fields in a row group of the 16-row layouts.
#ifndef CKERNELS_LAYOUT16_H
#define CKERNELS_LAYOUT16_H

#include <stdint.h>

#include "WeightTypes.h"
#include "inline.h"

// A row group consists of the headers of its rows, zeros up to a multiple of 64 bytes, and a run of tiles of `tile_blocks` blocks (the last
// may hold fewer). A tile consists of the heads of its blocks, zeros up to a multiple of 64 bytes, the bodies of its blocks, and zeros
// again. Sizes are those of one block of 16 rows.
typedef struct {
  int32_t block_elements, tile_blocks, head_bytes, body_bytes;
  int32_t headers_bytes;  // of 16 rows, with the zeros after them
} layout16;

// Adds up without a loop, so that the sum is a constant if the type is one.
INLINE int32_t bytes_of_fields(const wt_field f[WT_FIELDS_MAX]) {
  _Static_assert(WT_FIELDS_MAX == 4, "every field is counted");
  return f[0].bytes + f[1].bytes + f[2].bytes + f[3].bytes;
}

INLINE layout16 layout16_of(uint32_t type) {
  const wt_facts *t = &wt_types[wt_types[type].base];
  return (layout16){t->elements, t->tile_blocks, 16 * bytes_of_fields(t->head), 16 * bytes_of_fields(t->body),
                    (16 * t->row_header + 63) & ~63};
}

INLINE int64_t round_up_64(int64_t bytes) { return (bytes + 63) & ~(int64_t)63; }

INLINE int64_t layout16_tile_bytes(layout16 l, int64_t blocks) {
  return round_up_64(blocks * l.head_bytes) + round_up_64(blocks * l.body_bytes);
}

// Returns the bytes of a row group with rows of k elements.
INLINE int64_t layout16_group_bytes(layout16 l, int64_t k) {
  const int64_t blocks = k / l.block_elements, rest = blocks % l.tile_blocks;
  return l.headers_bytes + blocks / l.tile_blocks * layout16_tile_bytes(l, l.tile_blocks) + layout16_tile_bytes(l, rest);
}

// The head and body of one block of 16 rows, and the headers of these rows.
typedef struct {
  const uint8_t *head, *body, *rows;
} block16;

INLINE block16 block16_at(layout16 l, const uint8_t *group, int64_t k, int64_t block) {
  const int64_t blocks = k / l.block_elements, tile = block / l.tile_blocks, within = block % l.tile_blocks;
  const int64_t left = blocks - tile * l.tile_blocks;
  const uint8_t *start = group + l.headers_bytes + tile * layout16_tile_bytes(l, l.tile_blocks);
  const int64_t heads = round_up_64((left < l.tile_blocks ? left : l.tile_blocks) * l.head_bytes);
  return (block16){start + within * l.head_bytes, start + heads + within * l.body_bytes, group};
}

#endif
