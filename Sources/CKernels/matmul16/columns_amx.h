// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The product of several columns on AMX tiles. One tdpbsud multiplies 32 activations of 16 columns with 32 weights of 16 rows.
//
// A line of unpacked weights is a row of an AMX tile as it is. 256 elements of ROW_GROUPS row groups are unpacked, and 16 columns at a time
// pass over them. The integer sums of all their blocks go through memory to vector registers, where the scales are applied. Few columns
// would leave most of a tile empty, so they are multiplied as with AVX-512-VNNI.

#ifndef CKERNELS_COLUMNS_AMX_H
#define CKERNELS_COLUMNS_AMX_H

#define matmul_many matmul_few
#include "columns_tiled.h"
#undef matmul_many

#define ROW_GROUPS 8
#define TILE_COLUMNS 16
#define FEWEST_COLUMNS 6  // fewer columns than this are faster one by one

// 256 elements of up to 16 columns. Missing columns are zero.
typedef struct {
  int8_t quants[TILE_COLUMNS][32 * CHUNK];
  column_chunk chunk[TILE_COLUMNS];
} column_tile;

// The integer sums of a block of 32 elements (with sub-scales, of 16 elements each): for each column, those of 16 rows.
typedef struct {
  v16i of[2][TILE_COLUMNS];
} block_sums;

// The operand of ldtilecfg (Intel's manual, volume 1, 18.3): palette 1, and the shape of each tile.
typedef struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} tile_configuration;

// Tiles 0 and 1 hold sums, 2 holds activations, 3 weights. Their depth is the number of elements that share a scale.
INLINE void configure(uint32_t kind) {
  const int depth = 4 * lines_of_sum(kind);
  tile_configuration configuration = {.palette = 1};
  for (int i = 0; i < 2; i++) {
    configuration.rows[i] = TILE_COLUMNS;
    configuration.row_bytes[i] = 64;
  }
  configuration.rows[2] = TILE_COLUMNS;
  configuration.row_bytes[2] = (uint16_t)depth;
  configuration.rows[3] = (uint8_t)(depth / 4);
  configuration.row_bytes[3] = 64;
  _tile_loadconfig(&configuration);
}

// Collects the columns, which need not be adjacent; the last tile may have fewer than 16.
INLINE void gather(uint32_t kind, const ck_matmul *m, int64_t first, int columns, int64_t block, int count, column_tile *out) {
  for (int c = 0; c < TILE_COLUMNS; c++) {
    if (c >= columns) {
      memset(out->quants[c], 0, sizeof out->quants[c]);
      continue;
    }
    prepare(kind, m, source_of(m, first + c), block, count, &out->chunk[c]);
    memcpy(out->quants[c], out->chunk[c].quants, (size_t)count * 32);
  }
}

INLINE void multiply_blocks(uint32_t kind, const tile *weights, const column_tile *x, int count, block_sums *sums) {
  ONCE
  for (int s = 0; s < count; s++) {
    _tile_zero(0);
    _tile_loadd(2, &x->quants[0][32 * s], sizeof x->quants[0]);
    _tile_loadd(3, &weights->lines[s][0], sizeof(line));
    _tile_dpbsud(0, 2, 3);
    _tile_stored(0, sums[s].of[0], sizeof(v16i));
    if (has_sub_scales(kind)) {
      _tile_zero(1);
      _tile_loadd(2, &x->quants[0][32 * s + 16], sizeof x->quants[0]);
      _tile_loadd(3, &weights->lines[s][4], sizeof(line));
      _tile_dpbsud(1, 2, 3);
      _tile_stored(1, sums[s].of[1], sizeof(v16i));
    }
  }
}

// Adds a chunk's scaled sums to `columns` columns of the output, or starts them.
INLINE void add_sums(uint32_t kind, const tile *weights, const column_tile *x, int columns, int count, const block_sums *sums,
                     bool begin, float *output, int64_t stride) {
  ONCE
  for (int c = 0; c < columns; c++) {
    v16 acc = begin ? v_set(0) : v_load(output + c * stride);
    ONCE
    for (int s = 0; s < count; s++) {
      part p = {};
      UNROLL
      for (int h = 0; h < (has_sub_scales(kind) ? 2 : 1); h++) {
        p = part_start(kind, p, start_at(kind, &x->chunk[c], s, 4 * h), h, weights->sub[s]);
        p.sum[h] += sums[s].of[h][c];
      }
      acc = add_products(kind, acc, p, weights->scale[s], weights->min[s], &x->chunk[c], s);
    }
    v_store(output + c * stride, acc);
  }
}

INLINE void matmul_many(uint32_t type, const ck_matmul *m, unpack_function unpack, const tile_functions *products) {
  if (m->columns < FEWEST_COLUMNS) return matmul_few(type, m, unpack, products);
  const uint32_t kind = kind_of(type);
  const int64_t group_bytes = layout16_group_bytes(layout16_of(type), m->k), blocks = m->k / 32;
  tile tiles[ROW_GROUPS];
  column_tile x;
  block_sums sums[CHUNK];
  configure(kind);
  for (int64_t row = m->row_begin; row < m->row_end; row += 16 * ROW_GROUPS) {
    const int64_t left = (m->row_end - row) / 16;
    const int groups = left < ROW_GROUPS ? (int)left : ROW_GROUPS;
    for (int64_t block = 0; block < blocks; block += CHUNK) {
      const int count = blocks - block < CHUNK ? (int)(blocks - block) : CHUNK;
      for (int g = 0; g < groups; g++) unpack(m, m->weights + (row / 16 + g) * group_bytes, block / CHUNK, count, &tiles[g]);
      for (int64_t c = 0; c < m->columns; c += TILE_COLUMNS) {
        const int columns = m->columns - c < TILE_COLUMNS ? (int)(m->columns - c) : TILE_COLUMNS;
        gather(kind, m, c, columns, block, count, &x);
        for (int g = 0; g < groups; g++) {
          multiply_blocks(kind, &tiles[g], &x, count, sums);
          add_sums(kind, &tiles[g], &x, columns, count, sums, block == 0, m->output + c * m->output_stride + row + 16 * g,
                   m->output_stride);
        }
      }
    }
  }
  _tile_release();
}

#endif
