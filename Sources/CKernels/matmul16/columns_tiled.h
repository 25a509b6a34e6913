// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The product of several columns where the sums of many columns fit the registers, or an instruction spreads an activation by
// itself. 256 elements of GROUPS row groups are unpacked into tiles, which stay in the first cache while all columns pass.
//
//   GROUPS, COLUMNS           row groups and columns at a time
//   DEMANDING                 columns times row groups at a time, of kinds that need more registers: with sub-scales, with signed lines
#ifndef CKERNELS_COLUMNS_TILED_H
#define CKERNELS_COLUMNS_TILED_H

#include <stddef.h>

#include "sums.h"
#include "tiles_ahead.h"
#include "unpack16.h"

// 256 elements of 16 rows, unpacked.
typedef struct {
  line lines[CHUNK][8];
  v16 scale[CHUNK];
  sub_scale sub[CHUNK][2];
  v16 min[CHUNK][2];
} tile;

INLINE void unpack_block(uint32_t type, block16 block, int block_s, tile *out, int s) {
  const uint32_t kind = kind_of(type);
  const scales16 scales = unpack_scales(type, block, block_s);
  out->scale[s] = scales.scale;
  const int halves = has_sub_scales(kind) ? 2 : 1;
  for (int h = 0; h < halves; h++) {
    if (has_sub_scales(kind)) out->sub[s][h] = scales.sub[h];
    if (has_mins(kind)) out->min[s][h] = scales.min[h];
  }
  const grid_points points = unpack_points(type, block, block_s);
  UNROLL
  for (int l = 0; l < 8; l++) out->lines[s][l] = unpack_line(type, block, &points, block_s, l);
}

INLINE void unpack_tile(uint32_t type, const ck_matmul *m, const uint8_t *group, int64_t chunk, int count, tile *out) {
  if (layout16_of(type).block_elements == 256 || count == CHUNK) {
    UNROLL
    for (int s = 0; s < CHUNK; s++) {
      const bool large = layout16_of(type).block_elements == 256;
      unpack_block(type, chunk_block(type, m, group, chunk, s, CHUNK), large ? s : 0, out, s);
    }
  } else {
    ONCE
    for (int s = 0; s < count; s++) unpack_block(type, chunk_block(type, m, group, chunk, s, count), 0, out, s);
  }
}

// Adds a chunk's products to `columns` columns of `groups` row groups of the output, or begins them.
INLINE void multiply_tiles(uint32_t kind, const tile *tiles, int groups, int columns, const column_chunk *x, int count, bool begin,
                           float *output, int64_t stride) {
  v16 acc[COLUMNS][GROUPS];
  UNROLL
  for (int c = 0; c < columns; c++) {
    UNROLL
    for (int g = 0; g < groups; g++) acc[c][g] = begin ? v_set(0) : v_load(output + c * stride + 16 * g);
  }
  ONCE
  for (int s = 0; s < count; s++) {
    part p[COLUMNS][GROUPS];
    UNROLL
    for (int l = 0; l < 8; l++) {
      UNROLL
      for (int c = 0; c < columns; c++) {
        const line four = line_broadcast(x[c].quants + 32 * s + 4 * l);
        UNROLL
        for (int g = 0; g < groups; g++) {
          const sub_scale *sub = tiles[g].sub[s];
          if (l == 0) p[c][g] = (part){};
          if (l % lines_of_sum(kind) == 0) p[c][g] = part_start(kind, p[c][g], start_at(kind, &x[c], s, l), l / 4, sub);
          p[c][g] = part_add(kind, p[c][g], tiles[g].lines[s][l], four, l, sub);
        }
      }
    }
    UNROLL
    for (int c = 0; c < columns; c++) {
      UNROLL
      for (int g = 0; g < groups; g++) acc[c][g] = add_products(kind, acc[c][g], p[c][g], tiles[g].scale[s], tiles[g].min[s], &x[c], s);
    }
  }
  UNROLL
  for (int c = 0; c < columns; c++) {
    UNROLL
    for (int g = 0; g < groups; g++) v_store(output + c * stride + 16 * g, acc[c][g]);
  }
}

// The same, as many columns at a time as have their sums in registers. Types with sub scales have two sums each.
INLINE void multiply_in_parts(uint32_t kind, const tile *tiles, int groups, int columns, const column_chunk *x, int count, bool begin,
                              float *output, int64_t stride) {
  const bool demanding = has_sub_scales(kind) || (SIGNED_LINES && is_wide(kind));
  const int step = demanding && groups * columns > DEMANDING ? DEMANDING / groups : columns;
  UNROLL
  for (int c = 0; c < columns; c += step) {
    multiply_tiles(kind, tiles, groups, step, x + c, count, begin, output + c * stride, stride);
  }
}

// Products of a chunk for 1, 2, 4 and 8 columns, and for one row group and two.
typedef void (*tile_function)(const tile *, const column_chunk *, int count, bool begin, float *output, int64_t stride);
typedef struct {
  tile_function of[2][4];
} tile_functions;

#define TILE_FUNCTION(kind, groups, columns)                                                                              \
  static __attribute__((noinline)) void multiply_##kind##_##groups##_##columns(                                           \
      const tile *tiles, const column_chunk *x, int count, bool begin, float *output, int64_t stride) {                   \
    multiply_in_parts(WT_KIND_##kind, tiles, groups, columns, x, count, begin, output, stride);                                \
  }

#if COLUMNS == 8
#define TILE_FUNCTIONS_OF(kind, groups)                                                                                   \
  TILE_FUNCTION(kind, groups, 1) TILE_FUNCTION(kind, groups, 2) TILE_FUNCTION(kind, groups, 4) TILE_FUNCTION(kind, groups, 8)
#define LIST(kind, groups)                                                                                                \
  { multiply_##kind##_##groups##_1, multiply_##kind##_##groups##_2, multiply_##kind##_##groups##_4, multiply_##kind##_##groups##_8 }
#else
#define TILE_FUNCTIONS_OF(kind, groups)                                                                                   \
  TILE_FUNCTION(kind, groups, 1) TILE_FUNCTION(kind, groups, 2) TILE_FUNCTION(kind, groups, 4)
#define LIST(kind, groups) { multiply_##kind##_##groups##_1, multiply_##kind##_##groups##_2, multiply_##kind##_##groups##_4 }
#endif

#if GROUPS == 2
#define TILE_FUNCTIONS(kind)                                                                                              \
  TILE_FUNCTIONS_OF(kind, 1) TILE_FUNCTIONS_OF(kind, 2)                                                                   \
  static const tile_functions products_##kind = {{LIST(kind, 1), LIST(kind, 2)}};
#else
#define TILE_FUNCTIONS(kind)                                                                                              \
  TILE_FUNCTIONS_OF(kind, 1)                                                                                              \
  static const tile_functions products_##kind = {{LIST(kind, 1)}};
#endif

// Types of one kind differ in unpacking only and share their products.
#define PRODUCTS_OF(kind, ...) TILE_FUNCTIONS(kind)
WEIGHT_LINE_KINDS(PRODUCTS_OF)
#undef PRODUCTS_OF

typedef void (*unpack_function)(const ck_matmul *, const uint8_t *group, int64_t chunk, int count, tile *out);

INLINE void matmul_many(uint32_t type, const ck_matmul *m, unpack_function unpack, const tile_functions *products) {
  const uint32_t kind = kind_of(type);
  const int64_t group_bytes = layout16_group_bytes(layout16_of(type), m->k), blocks = m->k / 32;
  const int64_t steps = m->columns / COLUMNS + __builtin_popcountll((uint64_t)m->columns % COLUMNS);
  tile tiles[GROUPS];
  for (int64_t row = m->row_begin; row < m->row_end;) {
    const int groups = (m->row_end - row) / 16 < GROUPS ? 1 : GROUPS;
    for (int64_t block = 0; block < blocks; block += CHUNK) {
      const int count = blocks - block < CHUNK ? (int)(blocks - block) : CHUNK;
      for (int g = 0; g < groups; g++) unpack(m, m->weights + (row / 16 + g) * group_bytes, block / CHUNK, count, &tiles[g]);
      tiles_ahead ahead = tiles_after(type, m, row, groups, block, CHUNK, steps);
      int64_t c = 0;
      for (int size = COLUMNS, log = COLUMNS == 8 ? 3 : 2; size > 0; size /= 2, log--) {
        for (; c + size <= m->columns; c += size) {
          ask_for_part(&ahead);
          column_chunk x[COLUMNS];
          for (int i = 0; i < size; i++) prepare(kind, m, source_of(m, c + i), block, count, &x[i]);
          products->of[groups - 1][log](tiles, x, count, block == 0, m->output + c * m->output_stride + row, m->output_stride);
        }
      }
    }
    row += 16 * groups;
  }
}

#endif
