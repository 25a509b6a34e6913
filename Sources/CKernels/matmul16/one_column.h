// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The product of one column: weights are unpacked and multiplied in registers, front to back.
#ifndef CKERNELS_ONE_COLUMN_H
#define CKERNELS_ONE_COLUMN_H

#include "sums.h"
#include "unpack16.h"

INLINE v16 add_block_of_one(uint32_t type, v16 acc, block16 block, int block_s, const column_chunk *column, int s) {
  const uint32_t kind = kind_of(type);
  const scales16 scales = unpack_scales(type, block, block_s);
  const grid_points points = unpack_points(type, block, block_s);
  part p = {};
  UNROLL
  for (int l = 0; l < 8; l++) {
    if (l % lines_of_sum(kind) == 0) p = part_start(kind, p, start_at(kind, column, s, l), l / 4, scales.sub);
    p = part_add(kind, p, unpack_line(type, block, &points, block_s, l), line_broadcast(column->quants + 32 * s + 4 * l), l, scales.sub);
  }
  return add_products(kind, acc, p, scales.scale, scales.min, column, s);
}

#define PREFETCH 3072  // bytes

// Asks for bytes begin to end of what lies PREFETCH bytes after a chunk. The CPU's own prefetching is too slow: with all the
// unpacking, few loads are in flight at a time. Addresses past the weights do no harm.
INLINE void prefetch(const uint8_t *chunk, int64_t begin, int64_t end) {
  for (int64_t at = round_up_64(begin); at < end; at += 64) __builtin_prefetch(chunk + PREFETCH + at);
}

INLINE void matmul_one(uint32_t type, const ck_matmul *m) {
  const int64_t group_bytes = layout16_group_bytes(layout16_of(type), m->k), blocks = m->k / 32, chunks = blocks / CHUNK;
  const int64_t column = source_of(m, 0);
  const int rest = (int)(blocks % CHUNK);
  const int64_t chunk_bytes = layout16_group_bytes(layout16_of(type), 512) / 2;
  const int64_t rest_bytes = rest == 0 ? 0 : (group_bytes - chunks * chunk_bytes) / rest;
  const bool large = layout16_of(type).block_elements == 256;
  for (int64_t row = m->row_begin; row < m->row_end; row += 16) {
    const uint8_t *group = m->weights + row / 16 * group_bytes;
    v16 acc = v_set(0);
    column_chunk x;
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
      prepare(kind_of(type), m, column, chunk * CHUNK, CHUNK, &x);
      UNROLL
      for (int s = 0; s < CHUNK; s++) {
        prefetch(group + chunk * chunk_bytes, s * chunk_bytes / CHUNK, (s + 1) * chunk_bytes / CHUNK);
        acc = add_block_of_one(type, acc, chunk_block(type, m, group, chunk, s, CHUNK), large ? s : 0, &x, s);
      }
    }
    if (!large && rest != 0) {
      prepare(kind_of(type), m, column, chunks * CHUNK, rest, &x);
      ONCE
      for (int s = 0; s < rest; s++) {
        prefetch(group + chunks * chunk_bytes, s * rest_bytes, (s + 1) * rest_bytes);
        acc = add_block_of_one(type, acc, chunk_block(type, m, group, chunks, s, rest), 0, &x, s);
      }
    }
    v_store(m->output + row, acc);
  }
}

#endif
