// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The product of several columns with vpmaddubsw on 16 registers of 256 bits.
//
// Eight of the registers hold integer sums (16 rows of four columns), so there is little room for anything else. Float sums stay in memory,
// in a buffer of their own, because the output's columns are often a power of two apart and would share few places of a cache.
//
// TILE_CHUNKS * 256 elements of ROW_GROUPS row groups are unpacked into tiles. Four columns at a time pass over them. The columns stay in
// the first-level cache; the tiles come from the second level, of which they fill about a third.
//
// Types that need all eight bits are unpacked to 16 bits and multiplied by vpmaddwd, so that no signs have to be moved.
#ifndef CKERNELS_COLUMNS_256_H
#define CKERNELS_COLUMNS_256_H

#include <stddef.h>

#include "sums.h"
#include "tiles_ahead.h"
#include "unpack16.h"

#define ROW_GROUPS 8  // half as many for wide types
#define TILE_CHUNKS 4
#define COLUMNS 4

// Additions happen one after another. In a tree, as the compiler would arrange them, they need more registers than there are.
#ifndef ONE_AFTER_THE_OTHER
#define ONE_AFTER_THE_OTHER(sum) __asm__("" : "+x"(sum))
#endif

typedef __m256i half;  // of a line: rows 0 to 7, or 8 to 15

// 256 elements of 16 rows, unpacked.
typedef struct {
  half lines[CHUNK][8][2];  // bytes; for wide types, the even elements of each four in 16 bits
  v16 scale[CHUNK];
  sub_scale sub[CHUNK][2];
  v16 min[CHUNK][2];
  half odd[CHUNK][8][2];    // for wide types, the odd elements; the tiles of other types end before this field
} tile;

INLINE tile *tile_at(uint32_t kind, tile *tiles, int64_t index) {
  return (tile *)((uint8_t *)tiles + index * (int64_t)(is_wide(kind) ? sizeof(tile) : offsetof(tile, odd)));
}

// 256 elements of a column.
typedef struct {
  column_chunk chunk;
  int32_t even[CHUNK][8], odd[CHUNK][8];  // for wide types, two of each four elements in 16 bits
  int32_t start[CHUNK][2];  // removes the offset, in two 16-bit halves: for the elements of a run of lines, 16 or 32
} column_words;

INLINE half even_words(half bytes) { return _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8); }
INLINE half odd_words(half bytes) { return _mm256_srai_epi16(bytes, 8); }
INLINE half half_of(words8 v, int h) { return h == 0 ? line_low(v) : line_high(v); }
INLINE v8 floats_of(v16 v, int h) { return (v8)half_of((words8)v, h); }

// ---- unpacking ------------------------------------------------------------------------------------------------------

INLINE void unpack_block(uint32_t type, block16 block, int block_s, tile *out, int s) {
  const uint32_t kind = kind_of(type);
  const scales16 scales = unpack_scales(type, block, block_s);
  out->scale[s] = scales.scale;
  if (has_sub_scales(kind)) {
    out->sub[s][0] = scales.sub[0];
    out->sub[s][1] = scales.sub[1];
  }
  if (has_mins(kind)) {
    out->min[s][0] = scales.min[0];
    if (has_sub_scales(kind)) out->min[s][1] = scales.min[1];
  }
  const grid_points points = unpack_points(type, block, block_s);
  UNROLL
  for (int l = 0; l < 8; l++) {
    const words8 bytes = (words8)unpack_line(type, block, &points, block_s, l);
    UNROLL
    for (int h = 0; h < 2; h++) {
      if (!is_wide(kind)) {
        out->lines[s][l][h] = half_of(bytes, h);
        continue;
      }
      // The words have room for the scale of their 16 elements.
      const half even = even_words(half_of(bytes, h)), odd = odd_words(half_of(bytes, h));
      const half factor = half_of((words8)scales.sub[l / 4], h);
      out->lines[s][l][h] = has_sub_scales(kind) ? _mm256_mullo_epi16(even, factor) : even;
      out->odd[s][l][h] = has_sub_scales(kind) ? _mm256_mullo_epi16(odd, factor) : odd;
    }
  }
}

INLINE void unpack_tile(uint32_t type, const ck_matmul *m, const uint8_t *group, int64_t chunk, int count, tile *out) {
  const int in_block = runs_of_block(type);
  if (in_block == CHUNK || count == CHUNK) {
    UNROLL
    for (int s = 0; s < CHUNK; s++) unpack_block(type, chunk_block(type, m, group, chunk, s, CHUNK), s % in_block, out, s);
  } else {
    ONCE
    for (int s = 0; s < count; s++) unpack_block(type, chunk_block(type, m, group, chunk, s, count), s % in_block, out, s);
  }
}

// Returns for how many lines the products can be added up within 16 bits. The offset is removed there too, so what counts is the distance
// of a byte from its offset. Sums may leave the 16 bits on the way and come back.
INLINE int lines_of_run(uint32_t kind) {
  const int offset = offset_of(kind), above = greatest(kind) - offset, most = offset > above ? offset : above;
  const int lines = 32767 / (2 * 127 * most), unit = lines_of_sum(kind);
  return lines >= unit ? unit : 4;
}

// Prepares the starting values of 16-bit sums of products, which remove the bytes' offset: the negative offset times the sum of those
// activations that go into the same 16 bits.
INLINE void prepare_starts(uint32_t kind, const int8_t *quants, int32_t start[2]) {
  half sums = _mm256_maddubs_epi16(_mm256_set1_epi8(1), _mm256_loadu_si256((const half *)quants));
  sums = _mm256_add_epi16(sums, _mm256_shuffle_epi32(sums, 0x4e));
  sums = _mm256_add_epi16(sums, _mm256_shuffle_epi32(sums, 0xb1));
  if (lines_of_run(kind) == 8) sums = _mm256_add_epi16(sums, _mm256_permute4x64_epi64(sums, 0x4e));
  sums = _mm256_mullo_epi16(sums, _mm256_set1_epi16((int16_t)-offset_of(kind)));
  start[0] = _mm256_extract_epi32(sums, 0);
  start[1] = _mm256_extract_epi32(sums, 4);
}

INLINE void prepare_words(uint32_t kind, const ck_matmul *m, int64_t column, int64_t block, int count, column_words *out) {
  prepare(kind, m, column, block, count, &out->chunk);
  for (int s = 0; s < count; s++) {
    const int8_t *const quants = out->chunk.quants + 32 * s;
    if (is_wide(kind)) {
      const half fours = _mm256_loadu_si256((const half *)quants);
      _mm256_storeu_si256((half *)out->even[s], even_words(fours));
      _mm256_storeu_si256((half *)out->odd[s], odd_words(fours));
    }
    if (offset_of(kind) != 0) prepare_starts(kind, quants, out->start[s]);
  }
}

// ---- products -------------------------------------------------------------------------------------------------------

// Adds up the products of 32 elements as integers, for `columns` columns.
INLINE void add_words(const tile *t, int columns, const column_words *x, int s, half sums[COLUMNS][2]) {
  UNROLL
  for (int l = 0; l < 16; l++) {
    const half *w = l % 2 == 0 ? t->lines[s][l / 2] : t->odd[s][l / 2];
    UNROLL
    for (int c = 0; c < columns; c++) {
      const half a = _mm256_set1_epi32(l % 2 == 0 ? x[c].even[s][l / 2] : x[c].odd[s][l / 2]);
      UNROLL
      for (int h = 0; h < 2; h++) {
        const half products = _mm256_madd_epi16(w[h], a);
        sums[c][h] = l == 0 ? products : _mm256_add_epi32(sums[c][h], products);
        ONE_AFTER_THE_OTHER(sums[c][h]);
      }
    }
  }
}

// The same. If 16 elements have a float scale, the sums are floats and the scales are applied.
INLINE void add_bytes(uint32_t kind, const tile *t, int columns, const column_words *x, int s, half sums[COLUMNS][2]) {
  const int lines = lines_of_run(kind);
  UNROLL
  for (int first = 0; first < 8; first += lines) {
    half run[COLUMNS][2];
    UNROLL
    for (int c = 0; c < columns; c++) {
      if (offset_of(kind) != 0) run[c][0] = run[c][1] = _mm256_set1_epi32(x[c].start[s][first / 4]);
    }
    UNROLL
    for (int l = first; l < first + lines; l++) {
      UNROLL
      for (int c = 0; c < columns; c++) {
        const half a = line_low((words8)line_broadcast(x[c].chunk.quants + 32 * s + 4 * l));
        UNROLL
        for (int h = 0; h < 2; h++) {
          const half products = _mm256_maddubs_epi16(t->lines[s][l][h], a);
          run[c][h] = l == first && offset_of(kind) == 0 ? products : _mm256_add_epi16(run[c][h], products);
          ONE_AFTER_THE_OTHER(run[c][h]);
        }
      }
    }
    UNROLL
    for (int c = 0; c < columns; c++) {
      UNROLL
      for (int h = 0; h < 2; h++) {
        const half scales = half_of((words8)t->sub[s][first / 4], h), one = _mm256_set1_epi16(1);
        const half total = _mm256_madd_epi16(run[c][h], has_integer_scales(kind) ? scales : one);
        if (has_float_scales(kind)) {
          const v8 sum = (v8)_mm256_cvtepi32_ps(total);
          sums[c][h] = (half)(first == 0 ? sum * (v8)scales : __builtin_elementwise_fma(sum, (v8)scales, (v8)sums[c][h]));
        } else {
          sums[c][h] = first == 0 ? total : _mm256_add_epi32(sums[c][h], total);
        }
      }
    }
  }
}

// Does what add_products does, on half a line.
INLINE v8 add_sums(uint32_t kind, v8 acc, half sums, const tile *t, const column_chunk *x, int s, int h) {
  const v8 value = has_float_scales(kind) ? (v8)sums : (v8)_mm256_cvtepi32_ps(sums);
  acc = __builtin_elementwise_fma(value, floats_of(t->scale[s], h) * x->scale[s], acc);
  if (!has_mins(kind)) return acc;
  const int halves = has_sub_scales(kind) ? 2 : 1;
  UNROLL
  for (int i = 0; i < halves; i++) acc = __builtin_elementwise_fma(floats_of(t->min[s][i], h), (v8)(x->sum[halves * s + i]), acc);
  return acc;
}

// Adds a chunk's products to `columns` times 16 sums in memory. In registers, they would displace other values.
INLINE void multiply_tile(uint32_t kind, const tile *t, int columns, const column_words *x, int count, float *output) {
  ONCE
  for (int s = 0; s < count; s++) {
    half sums[COLUMNS][2];
    if (is_wide(kind)) add_words(t, columns, x, s, sums);
    else add_bytes(kind, t, columns, x, s, sums);
    UNROLL
    for (int c = 0; c < columns; c++) {
      UNROLL
      for (int h = 0; h < 2; h++) {
        v8f_at *const out = (v8f_at *)(output + 16 * c + 8 * h);
        *out = add_sums(kind, *out, sums[c][h], t, &x[c].chunk, s, h);
      }
    }
  }
}

// The functions for the products of a chunk with 1, 2 and 4 columns.
typedef struct {
  void (*of[3])(const tile *, const column_words *, int count, float *output);
} tile_functions;

#define TILE_FUNCTION(kind, columns)                                                                                      \
  static __attribute__((noinline)) void multiply_##kind##_##columns(const tile *t, const column_words *x, int count,      \
                                                                    float *output) {                                      \
    multiply_tile(WT_KIND_##kind, t, columns, x, count, output);                                                               \
  }
#define TILE_FUNCTIONS(kind)                                                                                              \
  TILE_FUNCTION(kind, 1) TILE_FUNCTION(kind, 2) TILE_FUNCTION(kind, 4)                                                    \
  static const tile_functions products_##kind = {{multiply_##kind##_1, multiply_##kind##_2, multiply_##kind##_4}};

// Types of one kind differ only in unpacking and share their products.
#define PRODUCTS_OF(kind, ...) TILE_FUNCTIONS(kind)
WEIGHT_LINE_KINDS(PRODUCTS_OF)
#undef PRODUCTS_OF

typedef void (*unpack_function)(const ck_matmul *, const uint8_t *group, int64_t chunk, int count, tile *out);

// The position in a product of several columns: row groups from `row` on, blocks of 32 elements from `block` on.
typedef struct {
  int64_t row, block;
  int groups, chunks;
} tile_range;

INLINE int count_of_chunk(const ck_matmul *m, tile_range at, int chunk) {
  const int64_t left = m->k / 32 - at.block - chunk * CHUNK;
  return left < CHUNK ? (int)left : CHUNK;
}

// Adds the products of a range of tiles to `columns` columns from `column` on, or starts their sums.
INLINE void multiply_columns(uint32_t kind, const ck_matmul *m, tile *tiles, tile_range at, int64_t column, int columns,
                             void (*multiply)(const tile *, const column_words *, int, float *)) {
  column_words x[TILE_CHUNKS][COLUMNS];
  for (int chunk = 0; chunk < at.chunks; chunk++) {
    for (int i = 0; i < columns; i++) {
      prepare_words(kind, m, source_of(m, column + i), at.block + chunk * CHUNK, count_of_chunk(m, at, chunk), &x[chunk][i]);
    }
  }
  for (int g = 0; g < at.groups; g++) {
    float *const output = m->output + column * m->output_stride + at.row + 16 * g;
    float sums[COLUMNS * 16];
    for (int i = 0; i < columns; i++) v_store(sums + 16 * i, at.block == 0 ? v_set(0) : v_load(output + i * m->output_stride));
    for (int chunk = 0; chunk < at.chunks; chunk++) {
      multiply(tile_at(kind, tiles, g * TILE_CHUNKS + chunk), x[chunk], count_of_chunk(m, at, chunk), sums);
    }
    for (int i = 0; i < columns; i++) v_store(output + i * m->output_stride, v_load(sums + 16 * i));
  }
}

INLINE void matmul_many(uint32_t type, const ck_matmul *m, unpack_function unpack, const tile_functions *products) {
  const uint32_t kind = kind_of(type);
  const int64_t group_bytes = layout16_group_bytes(layout16_of(type), m->k), blocks = m->k / 32;
  const int64_t steps = m->columns / 4 + __builtin_popcountll((uint64_t)m->columns % 4);
  const int most = is_wide(kind) ? ROW_GROUPS / 2 : ROW_GROUPS;
  tile tiles[ROW_GROUPS * TILE_CHUNKS];
  tile_range at;
  for (at.row = m->row_begin; at.row < m->row_end; at.row += 16 * most) {
    const int64_t groups = (m->row_end - at.row) / 16;
    at.groups = groups < most ? (int)groups : most;
    for (at.block = 0; at.block < blocks; at.block += TILE_CHUNKS * CHUNK) {
      const int64_t chunks = (blocks - at.block + CHUNK - 1) / CHUNK;
      at.chunks = chunks < TILE_CHUNKS ? (int)chunks : TILE_CHUNKS;
      for (int i = 0; i < at.groups * at.chunks; i++) {
        const int g = i / at.chunks, chunk = i % at.chunks;
        unpack(m, m->weights + (at.row / 16 + g) * group_bytes, at.block / CHUNK + chunk, count_of_chunk(m, at, chunk),
               tile_at(kind, tiles, g * TILE_CHUNKS + chunk));
      }
      tiles_ahead ahead = tiles_after(type, m, at.row, at.groups, at.block, TILE_CHUNKS * CHUNK, steps);
      int64_t c = 0;
      for (; c + 4 <= m->columns; c += 4) {
        ask_for_part(&ahead);
        multiply_columns(kind, m, tiles, at, c, 4, products->of[2]);
      }
      for (; c + 2 <= m->columns; c += 2) {
        ask_for_part(&ahead);
        multiply_columns(kind, m, tiles, at, c, 2, products->of[1]);
      }
      for (; c < m->columns; c++) {
        ask_for_part(&ahead);
        multiply_columns(kind, m, tiles, at, c, 1, products->of[0]);
      }
    }
  }
}

#endif
