// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The 16-row kernels on lines of 64 bytes. Included once per instruction set, whose file defines these parameters:
//
//   SIGNED_LINES      whether lines of wide kinds hold signed bytes
//   LINES             the header with lines in its registers (lines_256.h, …)
//   PRODUCTS          the header with its sums of products of bytes (lines_dot.h, lines_pairs.h)
//   GRIDS             the header with its look-ups in grids (grids_loads.h, grids_vbmi.h); GRIDS_ONLY leaves out types without
//   ASKS_AHEAD        whether the weights of one column are prefetched whatever their type; one_column.h says what happens otherwise
//   SEVERAL_COLUMNS   the header with the product of several columns (columns_tiled.h, columns_256.h, columns_amx.h), and its parameters
//   WIDE_COLUMNS      columns of F16 and BF16 weights at a time
//
// With one column, weights are unpacked and multiplied in registers, front to back. With several columns, 256 elements of a few row groups
// are unpacked into tiles on the stack, over which all columns pass. Both make the same sums in the same order (stated in
// matmul16_portable.c), so the number of columns never affects the results.
#include "CKernels.h"
#include "floats.h"
#include "one_column.h"
#include SEVERAL_COLUMNS

// ---- a product for each type ----------------------------------------------------------------------------------------

#define MATMUL(type, number, elements, bytes, header, since, tile_blocks, head, body, kind)                               \
  static void unpack_##type(const ck_matmul *m, const uint8_t *group, int64_t chunk, int count, tile *out) {              \
    unpack_tile(WT_##type, m, group, chunk, count, out);                                                                  \
  }                                                                                                                       \
  static void matmul_##type(const ck_matmul *m) {                                                                         \
    if (m->columns == 1) matmul_one(WT_##type, m);                                                                        \
    else matmul_many(WT_##type, m, unpack_##type, &products_##kind);                                                      \
  }
#define MATMUL_FLOATS(type, ...) static void matmul_##type(const ck_matmul *m) { matmul_wide(WT_##type, m); }
#ifndef GRIDS_ONLY
WEIGHT_TYPES(WT_NONE, MATMUL_FLOATS, MATMUL, WT_NONE, WT_NONE)
#endif
WEIGHT_TYPES(WT_NONE, WT_NONE, WT_NONE, MATMUL, WT_NONE)
#undef MATMUL
#undef MATMUL_FLOATS

// ---- activations ----------------------------------------------------------------------------------------------------

#ifndef GRIDS_ONLY
// As in matmul16_portable.c. Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, ties to even.
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
#endif

static void fill(ck_table *table) {
#define ENTER(type, ...) table->matmul16[WT_##type] = matmul_##type;
#ifndef GRIDS_ONLY
  WEIGHT_TYPES(WT_NONE, ENTER, ENTER, WT_NONE, WT_NONE)
  table->quantize = quantize;
#endif
#define ENTER_GROUPED(type, number, elements, bytes, header, since, base, rows) table->matmul16[WT_##type] = table->matmul16[WT_##base];
  WEIGHT_TYPES(WT_NONE, WT_NONE, WT_NONE, ENTER, ENTER_GROUPED)
#undef ENTER
#undef ENTER_GROUPED
}
