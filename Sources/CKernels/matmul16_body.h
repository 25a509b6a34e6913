// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The 16-row kernels on lines of 64 bytes. Included once for each instruction set, after its primitives (lines_*.h):
//
//   SIGNED_LINES              whether lines of wide types hold signed bytes
//   SEVERAL_COLUMNS           the file with the product of several columns: columns_tiled.h or columns_256.h
//   WIDE_COLUMNS              columns of F16 and BF16 weights at a time
//   part, part_start/add/value   sums of products of bytes, see there
//
// One column: weights are unpacked and multiplied in registers, front to back. Several columns: 256 elements of a few row groups
// are unpacked into tiles on the stack, over which all columns pass. Both make the same sums in the same order
// (matmul16_portable.c states it), so the number of columns never shows in the results.

#define UNROLL _Pragma("clang loop unroll(full)")
#define ONCE _Pragma("clang loop unroll(disable)")

// ---- what a chunk of 256 elements needs to know of a column ---------------------------------------------------------

typedef int16_t v16s_at __attribute__((ext_vector_type(16), aligned(1), may_alias));
typedef int32_t v8i __attribute__((ext_vector_type(8)));
typedef float v8f __attribute__((ext_vector_type(8)));
typedef float v8f_at __attribute__((ext_vector_type(8), aligned(1), may_alias));

// The column of the activations that column `column` of the output reads.
INLINE int64_t source_of(const ck_matmul *m, int64_t column) { return m->column_map != NULL ? m->column_map[column] : column; }

typedef struct {
  const int8_t *quants;
  float scale[8];
  int32_t start[16];  // what a sum of products starts from, to take out the offset of unsigned bytes: for 32 elements, or 16
  float sum[16];      // scale * float(sum of the quants): for 32 elements, or for 16 with sub scales
} column_chunk;

// Blocks [block, block + count) of 32 elements of a column; the rest is left unread.
INLINE void prepare(uint32_t type, const ck_matmul *m, int64_t column, int64_t block, int count, column_chunk *out) {
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
  if (has_sub_scales(type)) {
    if (offset_of(type) != 0) *(v16i *)out->start = start_of_16(sums, offset_of(type));
    if (has_mins(type)) {
      const v16 doubled = __builtin_shufflevector(scales, scales, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
      *(v16_at *)out->sum = doubled * to_float(sums);
    }
  } else {
    const v8i both = sums.even + sums.odd;
    if (offset_of(type) != 0) *(v8i *)out->start = both * -offset_of(type);
    if (has_mins(type)) *(v8f_at *)out->sum = scales * __builtin_convertvector(both, v8f);
  }
}

// ---- sums over 32 elements ------------------------------------------------------------------------------------------

// Four activations, for every row.
INLINE line line_broadcast(const int8_t *quants) {
  int32_t four;
  memcpy(&four, quants, 4);
  return (line)(v16i)(four);
}

// acc and the products of 32 elements, whose integer sum is in p.
INLINE v16 add_products(uint32_t type, v16 acc, part p, v16 scale, const v16 min[2], const column_chunk *column, int s) {
  acc = v_fma(part_value(type, p), scale * v_set(column->scale[s]), acc);
  if (!has_mins(type)) return acc;
  if (!has_sub_scales(type)) return v_fma(min[0], v_set(column->sum[s]), acc);
  acc = v_fma(min[0], v_set(column->sum[2 * s]), acc);
  return v_fma(min[1], v_set(column->sum[2 * s + 1]), acc);
}

// Lines are multiplied in runs of 8, or 4 where every 16 elements have their scale.
INLINE int lines_of_sum(uint32_t type) { return has_sub_scales(type) ? 4 : 8; }

INLINE int32_t start_at(uint32_t type, const column_chunk *column, int s, int l) {
  if (offset_of(type) == 0) return 0;
  return has_sub_scales(type) ? column->start[2 * s + l / 4] : column->start[s];
}

// ---- blocks of a chunk ----------------------------------------------------------------------------------------------

#define CHUNK 8  // of 32 elements

// Block of the 32 elements number s of a chunk; `count` is constant where the chunk is full, which leaves constants.
INLINE block16 chunk_block(uint32_t type, const ck_matmul *m, const uint8_t *group, int64_t chunk, int s, int count) {
  const layout16 l = layout16_of(type);
  if (l.block_elements == 256) return block16_at(l, group, m->k, chunk);
  const int64_t tile_bytes = layout16_tile_bytes(l, l.tile_blocks);
  const int tile = s / l.tile_blocks, within = s % l.tile_blocks, left = count - tile * l.tile_blocks;
  const uint8_t *start = group + chunk * (CHUNK / l.tile_blocks) * tile_bytes + tile * tile_bytes;
  const int64_t heads = round_up_64((left < l.tile_blocks ? left : l.tile_blocks) * l.head_bytes);
  return (block16){start + within * l.head_bytes, start + heads + within * l.body_bytes};
}

// ---- one column -----------------------------------------------------------------------------------------------------

INLINE v16 add_block_of_one(uint32_t type, v16 acc, block16 block, int block_s, const column_chunk *column, int s) {
  const scales16 scales = unpack_scales(type, block, block_s);
  part p = {};
  UNROLL
  for (int l = 0; l < 8; l++) {
    if (l % lines_of_sum(type) == 0) p = part_start(type, p, start_at(type, column, s, l), l / 4, scales.sub);
    p = part_add(type, p, unpack_line(type, block, block_s, l), line_broadcast(column->quants + 32 * s + 4 * l), l, scales.sub);
  }
  return add_products(type, acc, p, scales.scale, scales.min, column, s);
}

#define PREFETCH 3072  // bytes

// Asks for bytes begin to end of what lies PREFETCH bytes behind a chunk. The CPU's own prefetching falls behind: with all the
// unpacking, few loads are in flight at a time. Addresses behind the weights do no harm.
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
      prepare(type, m, column, chunk * CHUNK, CHUNK, &x);
      UNROLL
      for (int s = 0; s < CHUNK; s++) {
        prefetch(group + chunk * chunk_bytes, s * chunk_bytes / CHUNK, (s + 1) * chunk_bytes / CHUNK);
        acc = add_block_of_one(type, acc, chunk_block(type, m, group, chunk, s, CHUNK), large ? s : 0, &x, s);
      }
    }
    if (!large && rest != 0) {
      prepare(type, m, column, chunks * CHUNK, rest, &x);
      ONCE
      for (int s = 0; s < rest; s++) {
        prefetch(group + chunks * chunk_bytes, s * rest_bytes, (s + 1) * rest_bytes);
        acc = add_block_of_one(type, acc, chunk_block(type, m, group, chunks, s, rest), 0, &x, s);
      }
    }
    v_store(m->output + row, acc);
  }
}

#include SEVERAL_COLUMNS

// The product of a type, with the tile products of its kind.
#define MATMUL(type, kind)                                                                                                \
  static void unpack_##type(const ck_matmul *m, const uint8_t *group, int64_t chunk, int count, tile *out) {              \
    unpack_tile(CK_##type, m, group, chunk, count, out);                                                                  \
  }                                                                                                                       \
  static void matmul_##type(const ck_matmul *m) {                                                                         \
    if (m->columns == 1) matmul_one(CK_##type, m);                                                                        \
    else matmul_many(CK_##type, m, unpack_##type, &products_##kind);                                                      \
  }

MATMUL(Q4_0, Q4_0)
MATMUL(Q4_1, Q4_K)
MATMUL(Q5_0, Q5_0)
MATMUL(Q5_1, Q5_K)
MATMUL(Q8_0, Q8_0)
MATMUL(Q2_K, Q2_K)
MATMUL(Q3_K, Q3_K)
MATMUL(Q4_K, Q4_K)
MATMUL(Q5_K, Q5_K)
MATMUL(Q6_K, Q6_K)
MATMUL(IQ4_NL, Q8_0)
MATMUL(IQ4_XS, Q8_0)
MATMUL(MXFP4, Q5_0)

// ---- F16, BF16 ------------------------------------------------------------------------------------------------------

INLINE v16 wide_load(uint32_t type, const uint8_t *p) {
  if (type == CK_F16) return v_load_half((const uint16_t *)p);
  return v_float(__builtin_convertvector(*(const v16h_at *)p, v16i) << 16);
}

// Up to WIDE_COLUMNS columns of one row group. One column runs its four chains at once, to read the weights front to back;
// several run one chain after another, so that all sums stay in registers.
INLINE void wide_columns(uint32_t type, const ck_matmul *m, const uint8_t *group, const float *const x[], int columns, float *output) {
  v16 acc[4][WIDE_COLUMNS];
  UNROLL
  for (int j = 0; j < 4; j++) {
    UNROLL
    for (int c = 0; c < columns; c++) acc[j][c] = v_set(0);
  }
  const int64_t whole = m->k & ~(int64_t)3;
  if (columns == 1) {
    for (int64_t i = 0; i < whole; i += 4) {
      UNROLL
      for (int j = 0; j < 4; j++) acc[j][0] = v_fma(wide_load(type, group + 32 * (i + j)), v_set(x[0][i + j]), acc[j][0]);
    }
  } else {
    UNROLL
    for (int j = 0; j < 4; j++) {
      for (int64_t i = j; i < whole; i += 4) {
        const v16 w = wide_load(type, group + 32 * i);
        UNROLL
        for (int c = 0; c < columns; c++) acc[j][c] = v_fma(w, v_set(x[c][i]), acc[j][c]);
      }
    }
  }
  UNROLL
  for (int j = 0; j < 3; j++) {
    if (whole + j >= m->k) break;
    const v16 w = wide_load(type, group + 32 * (whole + j));
    UNROLL
    for (int c = 0; c < columns; c++) acc[j][c] = v_fma(w, v_set(x[c][whole + j]), acc[j][c]);
  }
  UNROLL
  for (int c = 0; c < columns; c++) v_store(output + c * m->output_stride, (acc[0][c] + acc[1][c]) + (acc[2][c] + acc[3][c]));
}

INLINE void matmul_wide(uint32_t type, const ck_matmul *m) {
  const int64_t group_bytes = layout16_group_bytes(layout16_of(type), m->k);
  for (int64_t row = m->row_begin; row < m->row_end; row += 16) {
    const uint8_t *group = m->weights + row / 16 * group_bytes;
    for (int64_t c = 0; c < m->columns;) {
      const float *x[WIDE_COLUMNS];
      const int count = m->columns - c < WIDE_COLUMNS ? 1 : WIDE_COLUMNS;
      for (int i = 0; i < count; i++) x[i] = m->x + source_of(m, c + i) * m->x_stride;
      if (count == 1) wide_columns(type, m, group, x, 1, m->output + c * m->output_stride + row);
      else wide_columns(type, m, group, x, WIDE_COLUMNS, m->output + c * m->output_stride + row);
      c += count;
    }
  }
}

static void matmul_F16(const ck_matmul *m) { matmul_wide(CK_F16, m); }
static void matmul_BF16(const ck_matmul *m) { matmul_wide(CK_BF16, m); }

// ---- activations ----------------------------------------------------------------------------------------------------

// As in matmul16_portable.c. Adding and taking away 1.5 * 2^23 rounds to the nearest integer, to even from the middle.
static void quantize(const float *x, int64_t k, int8_t *quants, float *scales, int16_t *sums) {
  for (int64_t b = 0; b < k / 32; b++) {
    const v16 a[2] = {v_load(x + 32 * b), v_load(x + 32 * b + 16)};
    const v16i low = v_bits(a[0]) & 0x7fffffff, high = v_bits(a[1]) & 0x7fffffff;
    const int32_t max = __builtin_reduce_max(__builtin_elementwise_max(low, high));
    const float scale = max > 0x7f7fffff ? __builtin_nanf("") : float_of_bits((uint32_t)max) / 127;
    scales[b] = scale;
    for (int h = 0; h < 2; h++) {
      const v16 rounded = (a[h] / v_set(scale) + v_set(0x1.8p23f)) - v_set(0x1.8p23f);
      const v16 held = v_max(v_min(rounded, v_set(127)), v_set(-127));
      const v16i quant = __builtin_convertvector(scale > 0 ? held : v_set(0), v16i);
      *(v16b_at *)(quants + 32 * b + 16 * h) = __builtin_convertvector(quant, v16b);
      sums[2 * b + h] = (int16_t)__builtin_reduce_add(quant);
    }
  }
}

static void fill(ck_table *table) {
#define ENTER(type) table->matmul16[CK_##type] = matmul_##type;
  ENTER(Q4_0) ENTER(Q4_1) ENTER(Q5_0) ENTER(Q5_1) ENTER(Q8_0) ENTER(Q2_K) ENTER(Q3_K) ENTER(Q4_K) ENTER(Q5_K) ENTER(Q6_K)
  ENTER(IQ4_NL) ENTER(IQ4_XS) ENTER(MXFP4) ENTER(F16) ENTER(BF16)
#undef ENTER
  table->quantize = quantize;
}
