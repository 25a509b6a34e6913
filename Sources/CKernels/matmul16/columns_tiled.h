// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The product of several columns for instruction sets whose registers hold the sums of many columns, or which can broadcast an activation
// within an instruction. 256 elements of GROUPS row groups are unpacked into tiles, which stay in the first-level cache while all columns
// pass.
//
//   GROUPS, COLUMNS           row groups and columns at a time
//   AT_ONCE, DEMANDING        columns times row groups whose sums share the registers; DEMANDING for kinds that need more registers:
//                             with sub-scales, with signed lines
//   IN_PLACE                  LIST(X) of the types whose lines are multiplied in place: all columns, eight at a time, unpack them in
//                             registers, because storing a tile's lines takes longer than that. Undefined: no types
//   IN_PLACE_PAYS             whether that is so on this CPU
#ifndef CKERNELS_COLUMNS_TILED_H
#define CKERNELS_COLUMNS_TILED_H

#include <stddef.h>

#include "sums.h"
#include "tiles_ahead.h"
#include "unpack16.h"

// 256 elements of 16 rows, unpacked; for types multiplied in place, the scales and the place of each block's lines.
typedef struct {
  line lines[CHUNK][8];
  const uint8_t *bodies[CHUNK];
  v16 scale[CHUNK];
  sub_scale sub[CHUNK][2];
  v16 min[CHUNK][2];
} tile;

#ifndef IN_PLACE
#define IN_PLACE(X)
#endif

INLINE bool is_in_place(uint32_t type) {
#define OR_IS(name) || (type == WT_##name && IN_PLACE_PAYS)
  return (void)type, false IN_PLACE(OR_IS);
#undef OR_IS
}

INLINE void unpack_block(uint32_t type, bool in_place, block16 block, int block_s, tile *out, int s) {
  const uint32_t kind = kind_of(type);
  const scales16 scales = unpack_scales(type, block, block_s);
  out->scale[s] = scales.scale;
  const int halves = has_sub_scales(kind) ? 2 : 1;
  for (int h = 0; h < halves; h++) {
    if (has_sub_scales(kind)) out->sub[s][h] = scales.sub[h];
    if (has_mins(kind)) out->min[s][h] = scales.min[h];
  }
  if (in_place) {
    out->bodies[s] = block.body;
    return;
  }
  const grid_points points = unpack_points(type, block, block_s);
  UNROLL
  for (int l = 0; l < 8; l++) out->lines[s][l] = unpack_line(type, block, &points, block_s, l);
}

INLINE void unpack_blocks(uint32_t type, bool in_place, const ck_matmul *m, const uint8_t *group, int64_t chunk, int count, tile *out) {
  const int in_block = runs_of_block(type);
  if (in_block == CHUNK || count == CHUNK) {
    UNROLL
    for (int s = 0; s < CHUNK; s++) unpack_block(type, in_place, chunk_block(type, m, group, chunk, s, CHUNK), s % in_block, out, s);
  } else {
    ONCE
    for (int s = 0; s < count; s++) unpack_block(type, in_place, chunk_block(type, m, group, chunk, s, count), s % in_block, out, s);
  }
}

INLINE void unpack_tile(uint32_t type, const ck_matmul *m, const uint8_t *group, int64_t chunk, int count, tile *out) {
  if (is_in_place(type)) unpack_blocks(type, true, m, group, chunk, count, out);
  else unpack_blocks(type, false, m, group, chunk, count, out);
}

// Returns line l of block s of a tile.
typedef line (*line_function)(const tile *, int s, int l);

INLINE line unpacked_line(const tile *t, int s, int l) { return t->lines[s][l]; }

#define LINE_IN_PLACE(name) \
  INLINE line line_in_place_##name(const tile *t, int s, int l) { return line_##name(t->bodies[s], s, l); }
IN_PLACE(LINE_IN_PLACE)
#undef LINE_IN_PLACE

// Adds the products of block s of a chunk to the sums of `columns` columns and `groups` row groups.
INLINE void multiply_block(line_function line_of, uint32_t kind, const tile *tiles, int groups, int columns, const column_chunk *x, int s,
                           v16 acc[COLUMNS][GROUPS]) {
  part p[COLUMNS][GROUPS];
  UNROLL
  for (int l = 0; l < 8; l++) {
    line lines[GROUPS];
    UNROLL
    for (int g = 0; g < groups; g++) lines[g] = line_of(&tiles[g], s, l);
    UNROLL
    for (int c = 0; c < columns; c++) {
      const line four = line_broadcast(x[c].quants + 32 * s + 4 * l);
      UNROLL
      for (int g = 0; g < groups; g++) {
        const sub_scale *sub = tiles[g].sub[s];
        if (l == 0) p[c][g] = (part){};
        if (l % lines_of_sum(kind) == 0) p[c][g] = part_start(kind, p[c][g], start_at(kind, &x[c], s, l), l / 4, sub);
        p[c][g] = part_add(kind, p[c][g], lines[g], four, l, sub);
      }
    }
  }
  UNROLL
  for (int c = 0; c < columns; c++) {
    UNROLL
    for (int g = 0; g < groups; g++) acc[c][g] = add_products(kind, acc[c][g], p[c][g], tiles[g].scale[s], tiles[g].min[s], &x[c], s);
  }
}

// Adds a chunk's products to `columns` columns of `groups` row groups of the output, or starts their sums.
INLINE void multiply_tiles(line_function line_of, uint32_t kind, const tile *tiles, int groups, int columns, const column_chunk *x,
                           int count, bool begin, float *output, int64_t stride) {
  v16 acc[COLUMNS][GROUPS];
  UNROLL
  for (int c = 0; c < columns; c++) {
    UNROLL
    for (int g = 0; g < groups; g++) acc[c][g] = begin ? v_set(0) : v_load(output + c * stride + 16 * g);
  }
  int s = 0;
  if (line_of != unpacked_line) {
    // Blocks go in pairs: for types whose bytes hold two blocks, the compiler then knows which of them a line belongs to.
    ONCE
    for (; s + 2 <= count; s += 2) {
      UNROLL
      for (int i = 0; i < 2; i++) multiply_block(line_of, kind, tiles, groups, columns, x, s + i, acc);
    }
  }
  ONCE
  for (; s < count; s++) multiply_block(line_of, kind, tiles, groups, columns, x, s, acc);
  UNROLL
  for (int c = 0; c < columns; c++) {
    UNROLL
    for (int g = 0; g < groups; g++) v_store(output + c * stride + 16 * g, acc[c][g]);
  }
}

// The same, for as many columns at a time as have their sums in registers. Types with sub-scales have two sums each.
INLINE void multiply_in_parts(line_function line_of, uint32_t kind, const tile *tiles, int groups, int columns, const column_chunk *x,
                              int count, bool begin, float *output, int64_t stride) {
  const bool demanding = has_sub_scales(kind) || (SIGNED_LINES && is_wide(kind));
  const int most = demanding ? DEMANDING : AT_ONCE, step = groups * columns > most ? most / groups : columns;
  UNROLL
  for (int c = 0; c < columns; c += step) {
    multiply_tiles(line_of, kind, tiles, groups, step, x + c, count, begin, output + c * stride, stride);
  }
}

// The functions for the products of a chunk with 1, 2, 4 and 8 columns, and with one and two row groups.
typedef void (*tile_function)(const tile *, const column_chunk *, int count, bool begin, float *output, int64_t stride);
typedef struct {
  tile_function of[2][4];
} tile_functions;

#define TILE_FUNCTION(name, line_of, kind, groups, columns)                                                                  \
  static __attribute__((noinline)) void multiply_##name##_##groups##_##columns(                                           \
      const tile *tiles, const column_chunk *x, int count, bool begin, float *output, int64_t stride) {                   \
    multiply_in_parts(line_of, kind, tiles, groups, columns, x, count, begin, output, stride);                            \
  }

#if COLUMNS == 8
#define TILE_FUNCTIONS_OF(name, line_of, kind, groups)                                                                       \
  TILE_FUNCTION(name, line_of, kind, groups, 1) TILE_FUNCTION(name, line_of, kind, groups, 2)                                   \
  TILE_FUNCTION(name, line_of, kind, groups, 4) TILE_FUNCTION(name, line_of, kind, groups, 8)
#define LIST(name, groups)                                                                                                \
  { multiply_##name##_##groups##_1, multiply_##name##_##groups##_2, multiply_##name##_##groups##_4, multiply_##name##_##groups##_8 }
#else
#define TILE_FUNCTIONS_OF(name, line_of, kind, groups)                                                                       \
  TILE_FUNCTION(name, line_of, kind, groups, 1) TILE_FUNCTION(name, line_of, kind, groups, 2) TILE_FUNCTION(name, line_of, kind, groups, 4)
#define LIST(name, groups) { multiply_##name##_##groups##_1, multiply_##name##_##groups##_2, multiply_##name##_##groups##_4 }
#endif

#if GROUPS == 2
#define TILE_FUNCTIONS(name, line_of, kind)                                                                                  \
  TILE_FUNCTIONS_OF(name, line_of, kind, 1) TILE_FUNCTIONS_OF(name, line_of, kind, 2)                                           \
  static const tile_functions products_##name = {{LIST(name, 1), LIST(name, 2)}};
#else
#define TILE_FUNCTIONS(name, line_of, kind)                                                                                  \
  TILE_FUNCTIONS_OF(name, line_of, kind, 1)                                                                                  \
  static const tile_functions products_##name = {{LIST(name, 1)}};
#endif

// Types of one kind differ only in unpacking and share their products.
#define PRODUCTS_OF(kind, ...) TILE_FUNCTIONS(kind, unpacked_line, WT_KIND_##kind)
WEIGHT_LINE_KINDS(PRODUCTS_OF)
#undef PRODUCTS_OF

// Types that are multiplied in place have products of their own.
#define PRODUCTS_OF(type) TILE_FUNCTIONS(type, line_in_place_##type, kind_of(WT_##type))
IN_PLACE(PRODUCTS_OF)
#undef PRODUCTS_OF

INLINE const tile_functions *products_of(uint32_t type, const tile_functions *of_kind) {
  (void)type;
#define IF_IT_IS(name) if (type == WT_##name && is_in_place(type)) return &products_##name;
  IN_PLACE(IF_IT_IS)
#undef IF_IT_IS
  return of_kind;
}

typedef void (*unpack_function)(const ck_matmul *, const uint8_t *group, int64_t chunk, int count, tile *out);

INLINE void matmul_many(uint32_t type, const ck_matmul *m, unpack_function unpack, const tile_functions *of_kind) {
  const uint32_t kind = kind_of(type);
  const tile_functions *products = products_of(type, of_kind);
  const int64_t group_bytes = layout16_group_bytes(layout16_of(type), m->k), blocks = m->k / 32;
  const int64_t steps = m->columns / COLUMNS + __builtin_popcountll((uint64_t)m->columns % COLUMNS);
  // With many columns, each is prepared for twice as many rows at a time. With few, preparation is not the cost, and weights arrive in
  // longer bursts.
  const int most = m->columns >= 32 ? 2 * GROUPS : GROUPS;
  tile tiles[2 * GROUPS];
  for (int64_t row = m->row_begin; row < m->row_end;) {
    const int64_t left = (m->row_end - row) / 16;
    const int groups = left < most ? (int)left : most;
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
          for (int g = 0; g < groups; g += GROUPS) {
            const int together = groups - g < GROUPS ? 1 : GROUPS;
            products->of[together - 1][log](&tiles[g], x, count, block == 0, m->output + c * m->output_stride + row + 16 * g,
                                            m->output_stride);
          }
        }
      }
    }
    row += 16 * groups;
  }
}

#endif
