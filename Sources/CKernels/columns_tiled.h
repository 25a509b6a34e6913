// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The product of several columns where the sums of many columns fit the registers, or an instruction spreads an activation by
// itself. 256 elements of GROUPS row groups are unpacked into tiles, which stay in the first cache while all columns pass.
//
//   GROUPS, COLUMNS           row groups and columns at a time
//   DEMANDING                 columns times row groups at a time, of types that need more registers: with sub scales, with signed lines

// 256 elements of 16 rows, unpacked.
typedef struct {
  line lines[CHUNK][8];
  v16 scale[CHUNK];
  sub_scale sub[CHUNK][2];
  v16 min[CHUNK][2];
} tile;

INLINE void unpack_block(uint32_t type, block16 block, int block_s, tile *out, int s) {
  const scales16 scales = unpack_scales(type, block, block_s);
  out->scale[s] = scales.scale;
  const int halves = has_sub_scales(type) ? 2 : 1;
  for (int h = 0; h < halves; h++) {
    if (has_sub_scales(type)) out->sub[s][h] = scales.sub[h];
    if (has_mins(type)) out->min[s][h] = scales.min[h];
  }
  UNROLL
  for (int l = 0; l < 8; l++) out->lines[s][l] = unpack_line(type, block, block_s, l);
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
INLINE void multiply_tiles(uint32_t type, const tile *tiles, int groups, int columns, const column_chunk *x, int count, bool begin,
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
          if (l % lines_of_sum(type) == 0) p[c][g] = part_start(type, p[c][g], start_at(type, &x[c], s, l), l / 4, sub);
          p[c][g] = part_add(type, p[c][g], tiles[g].lines[s][l], four, l, sub);
        }
      }
    }
    UNROLL
    for (int c = 0; c < columns; c++) {
      UNROLL
      for (int g = 0; g < groups; g++) acc[c][g] = add_products(type, acc[c][g], p[c][g], tiles[g].scale[s], tiles[g].min[s], &x[c], s);
    }
  }
  UNROLL
  for (int c = 0; c < columns; c++) {
    UNROLL
    for (int g = 0; g < groups; g++) v_store(output + c * stride + 16 * g, acc[c][g]);
  }
}

// The same, as many columns at a time as have their sums in registers. Types with sub scales have two sums each.
INLINE void multiply_in_parts(uint32_t type, const tile *tiles, int groups, int columns, const column_chunk *x, int count, bool begin,
                              float *output, int64_t stride) {
  const bool demanding = has_sub_scales(type) || (SIGNED_LINES && is_wide(type));
  const int step = demanding && groups * columns > DEMANDING ? DEMANDING / groups : columns;
  UNROLL
  for (int c = 0; c < columns; c += step) {
    multiply_tiles(type, tiles, groups, step, x + c, count, begin, output + c * stride, stride);
  }
}

// Products of a chunk for 1, 2, 4 and 8 columns, and for one row group and two.
typedef void (*tile_function)(const tile *, const column_chunk *, int count, bool begin, float *output, int64_t stride);
typedef struct {
  tile_function of[2][4];
} tile_functions;

#define TILE_FUNCTION(type, groups, columns)                                                                              \
  static __attribute__((noinline)) void multiply_##type##_##groups##_##columns(                                           \
      const tile *tiles, const column_chunk *x, int count, bool begin, float *output, int64_t stride) {                   \
    multiply_in_parts(CK_##type, tiles, groups, columns, x, count, begin, output, stride);                                \
  }

#if COLUMNS == 8
#define TILE_FUNCTIONS_OF(type, groups)                                                                                   \
  TILE_FUNCTION(type, groups, 1) TILE_FUNCTION(type, groups, 2) TILE_FUNCTION(type, groups, 4) TILE_FUNCTION(type, groups, 8)
#define LIST(type, groups)                                                                                                \
  { multiply_##type##_##groups##_1, multiply_##type##_##groups##_2, multiply_##type##_##groups##_4, multiply_##type##_##groups##_8 }
#else
#define TILE_FUNCTIONS_OF(type, groups)                                                                                   \
  TILE_FUNCTION(type, groups, 1) TILE_FUNCTION(type, groups, 2) TILE_FUNCTION(type, groups, 4)
#define LIST(type, groups) { multiply_##type##_##groups##_1, multiply_##type##_##groups##_2, multiply_##type##_##groups##_4 }
#endif

#if GROUPS == 2
#define TILE_FUNCTIONS(type)                                                                                              \
  TILE_FUNCTIONS_OF(type, 1) TILE_FUNCTIONS_OF(type, 2)                                                                   \
  static const tile_functions products_##type = {{LIST(type, 1), LIST(type, 2)}};
#else
#define TILE_FUNCTIONS(type)                                                                                              \
  TILE_FUNCTIONS_OF(type, 1)                                                                                              \
  static const tile_functions products_##type = {{LIST(type, 1)}};
#endif

// Types that differ in unpacking only share their products: each kind has one.
TILE_FUNCTIONS(Q4_0)
TILE_FUNCTIONS(Q4_K)  // Q4_1
TILE_FUNCTIONS(Q5_0)  // MXFP4
TILE_FUNCTIONS(Q5_K)  // Q5_1
TILE_FUNCTIONS(Q8_0)  // IQ4_NL, IQ4_XS
TILE_FUNCTIONS(Q2_K)
TILE_FUNCTIONS(Q3_K)
TILE_FUNCTIONS(Q6_K)

typedef void (*unpack_function)(const ck_matmul *, const uint8_t *group, int64_t chunk, int count, tile *out);

INLINE void matmul_many(uint32_t type, const ck_matmul *m, unpack_function unpack, const tile_functions *products) {
  const int64_t group_bytes = layout16_group_bytes(layout16_of(type), m->k), blocks = m->k / 32;
  tile tiles[GROUPS];
  for (int64_t row = m->row_begin; row < m->row_end;) {
    const int groups = (m->row_end - row) / 16 < GROUPS ? 1 : GROUPS;
    for (int64_t block = 0; block < blocks; block += CHUNK) {
      const int count = blocks - block < CHUNK ? (int)(blocks - block) : CHUNK;
      for (int g = 0; g < groups; g++) unpack(m, m->weights + (row / 16 + g) * group_bytes, block / CHUNK, count, &tiles[g]);
      int64_t c = 0;
      for (int size = COLUMNS, log = COLUMNS == 8 ? 3 : 2; size > 0; size /= 2, log--) {
        for (; c + size <= m->columns; c += size) {
          column_chunk x[COLUMNS];
          for (int i = 0; i < size; i++) prepare(type, m, source_of(m, c + i), block, count, &x[i]);
          products->of[groups - 1][log](tiles, x, count, block == 0, m->output + c * m->output_stride + row, m->output_stride);
        }
      }
    }
    row += 16 * groups;
  }
}

