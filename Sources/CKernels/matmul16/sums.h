// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The parts of every product: a chunk of a column, and the conversion of sums of byte products to floats.
//
//   PRODUCTS   a parameter of the instruction set, the header with the sums of products of bytes: part, part_start/add/value, sub_scale
#ifndef CKERNELS_SUMS_H
#define CKERNELS_SUMS_H

#include <string.h>

#include "../ground/layout16.h"
#include "CKernels.h"
#include PRODUCTS

#define UNROLL _Pragma("clang loop unroll(full)")
#define ONCE _Pragma("clang loop unroll(disable)")

// ---- what a chunk of 256 elements needs to know about a column ------------------------------------------------------

typedef int16_t v16s_at __attribute__((ext_vector_type(16), aligned(1), may_alias));
typedef int32_t v8i __attribute__((ext_vector_type(8)));
typedef float v8f __attribute__((ext_vector_type(8)));
typedef float v8f_at __attribute__((ext_vector_type(8), aligned(1), may_alias));

// Returns the column of the activations that column `column` of the output reads.
INLINE int64_t source_of(const ck_matmul *m, int64_t column) { return m->column_map != NULL ? m->column_map[column] : column; }

typedef struct {
  const int8_t *quants;
  float scale[8];
  int32_t start[16];  // the start of a sum of products, which removes the offset of unsigned bytes: for 32 elements, or 16
  float sum[16];      // scale * float(sum of the quants): for 32 elements, or for 16 with sub-scales
} column_chunk;

// Prepares blocks [block, block + count) of 32 elements of a column; the rest of `out` stays unset.
INLINE void prepare(uint32_t kind, const ck_matmul *m, int64_t column, int64_t block, int count, column_chunk *out) {
  const int64_t at = column * (m->k / 32) + block;
  out->quants = m->q8.quants + at * 32;
  v16i sums;
  v8f scales;
  if (count == 8) {
    sums = __builtin_convertvector(*(const v16s_at *)(m->q8.sums + 2 * at), v16i);
    scales = *(const v8f_at *)(m->q8.scales + at);
  } else {
    int16_t some_sums[16] = {0};
    float some_scales[8] = {0};
    memcpy(some_sums, m->q8.sums + 2 * at, (size_t)count * 4);
    memcpy(some_scales, m->q8.scales + at, (size_t)count * 4);
    sums = __builtin_convertvector(*(const v16s_at *)some_sums, v16i);
    scales = *(const v8f_at *)some_scales;
  }
  *(v8f_at *)out->scale = scales;
  if (has_sub_scales(kind)) {
    if (offset_of(kind) != 0) *(v16i *)out->start = start_of_16(sums, offset_of(kind));
    if (has_mins(kind)) {
      const v16 doubled = __builtin_shufflevector(scales, scales, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
      *(v16_at *)out->sum = doubled * to_float(sums);
    }
  } else {
    const v8i both = sums.even + sums.odd;
    if (offset_of(kind) != 0) *(v8i *)out->start = both * -offset_of(kind);
    if (has_mins(kind)) *(v8f_at *)out->sum = scales * __builtin_convertvector(both, v8f);
  }
}

// ---- sums over 32 elements ------------------------------------------------------------------------------------------

// Broadcasts four activations to every row.
INLINE line line_broadcast(const int8_t *quants) {
  int32_t four;
  memcpy(&four, quants, 4);
  return (line)(v16i)(four);
}

// Returns acc plus the products of 32 elements, whose integer sum is in p.
INLINE v16 add_products(uint32_t kind, v16 acc, part p, v16 scale, const v16 min[2], const column_chunk *column, int s) {
  acc = v_fma(part_value(kind, p), scale * v_set(column->scale[s]), acc);
  if (!has_mins(kind)) return acc;
  if (!has_sub_scales(kind)) return v_fma(min[0], v_set(column->sum[s]), acc);
  acc = v_fma(min[0], v_set(column->sum[2 * s]), acc);
  return v_fma(min[1], v_set(column->sum[2 * s + 1]), acc);
}

// Lines are multiplied in runs of 8, or of 4 if every 16 elements have a scale.
INLINE int lines_of_sum(uint32_t kind) { return has_sub_scales(kind) ? 4 : 8; }

INLINE int32_t start_at(uint32_t kind, const column_chunk *column, int s, int l) {
  if (offset_of(kind) == 0) return 0;
  return has_sub_scales(kind) ? column->start[2 * s + l / 4] : column->start[s];
}

// ---- blocks of a chunk ----------------------------------------------------------------------------------------------

#define CHUNK 8  // of 32 elements

// Returns how many runs of 32 elements a block has. A chunk begins with a block, so its run number s is run s % runs_of_block of a block.
INLINE int runs_of_block(uint32_t type) { return layout16_of(type).block_elements / 32; }

// Returns the block that run s of a chunk of `count` runs is in. For a full chunk `count` is a constant, and so are the offsets.
INLINE block16 chunk_block(uint32_t type, const ck_matmul *m, const uint8_t *group, int64_t chunk, int s, int count) {
  const layout16 l = layout16_of(type);
  if (l.block_elements == 256) return block16_at(l, group, m->k, chunk);
  const int64_t tile_bytes = layout16_tile_bytes(l, l.tile_blocks);
  const int in_block = runs_of_block(type), in_tile = in_block * l.tile_blocks;
  const int tile = s / in_tile, within = s % in_tile / in_block, left = count / in_block - tile * l.tile_blocks;
  const uint8_t *start = group + l.headers_bytes + (chunk * (CHUNK / in_tile) + tile) * tile_bytes;
  const int64_t heads = round_up_64((left < l.tile_blocks ? left : l.tile_blocks) * l.head_bytes);
  return (block16){start + within * l.head_bytes, start + heads + within * l.body_bytes, group};
}

#endif
