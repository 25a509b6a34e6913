// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Conversion of rows in layout `gguf` to floats, and the plain products built on it. Included by one file per instruction set.
//
// Every value is computed as in ggml's reference, product by product in single precision, so the floats equal ggml's bit for bit.
#ifndef CKERNELS_DEQUANTIZE_BODY_H
#define CKERNELS_DEQUANTIZE_BODY_H

#include "../ground/row_groups.h"
#include "CKernels.h"
#include "dequantize_grid.h"
#include "dequantize_ik.h"
#include "dequantize_k.h"
#include "dequantize_simple.h"
#include "dequantize_trellis.h"

// The functions that convert `blocks` blocks to floats: for types without a row header, and for types whose header is a scale.
typedef struct {
  void (*blocks)(const uint8_t *blocks_of_row, int64_t blocks, float *out);
  void (*scaled_blocks)(const uint8_t *blocks_of_row, int64_t blocks, float scale, float *out);
} dequantizer;

#define ROW_AFTER_0(name) {.blocks = row_##name}
#define ROW_AFTER_2(name) {.scaled_blocks = row_##name}
#define ROW_AFTER_4(name) {.scaled_blocks = row_##name}
#define ROW(name, number, elements, bytes, header, ...) [number] = ROW_AFTER_##header(name),
static const dequantizer dequantizers[WT_COUNT] = {WEIGHT_TYPES(ROW, ROW, ROW, ROW, WT_NONE)};
#undef ROW

// The purpose of the floats. For three types, ik_llama.cpp multiplies with other weights than its reference has, and the files in
// circulation were judged by the results of its products.
typedef enum {
  FOR_READING,  // as the reference
  FOR_PRODUCTS,
} purpose;

// Returns the factor for the scale of a row in products.
INLINE float scale_for_products(uint32_t type) { return type == WT_IQ2_KT ? ik_factor_IQ2_KT : type == WT_IQ3_KT ? ik_factor_IQ3_KT : 1; }

// Converts blocks first to first + blocks - 1 of a row that is not interleaved with others.
INLINE void blocks_to_floats(uint32_t type, const uint8_t *row, int64_t first, int64_t blocks, purpose purpose, float *out) {
  const wt_facts *t = &wt_types[type];
  const uint8_t *at = row + t->row_header + first * t->bytes;
  if (t->row_header != 0) {
    const float scale = t->row_header == 2 ? v_half(row) : float_of_bits(load_u32(row));
    dequantizers[type].scaled_blocks(at, blocks, purpose == FOR_PRODUCTS ? scale * scale_for_products(type) : scale, out);
  } else if (type == WT_IQ6_K && purpose == FOR_PRODUCTS) {
    factors_IQ6_K(at, blocks, out);
  } else {
    dequantizers[type].blocks(at, blocks, out);
  }
}

// The same for row `row` of rows of k elements at `rows`.
static void part_of_row(uint32_t type, const uint8_t *rows, int64_t k, int64_t row, int64_t first, int64_t blocks, purpose purpose,
                        float *out) {
  const wt_facts *t = &wt_types[type];
  const int64_t row_bytes = t->row_header + k / t->elements * t->bytes;
  if (t->group_rows == 1) return blocks_to_floats(type, rows + row * row_bytes, first, blocks, purpose, out);
  for (int64_t b = first; b < first + blocks; b++, out += t->elements) {
    uint8_t block[largest_block];
    take_block(type, rows, row_bytes, row, b, block);
    blocks_to_floats(t->base, block, 0, 1, purpose, out);
  }
}

static void dequantize(uint32_t type, const void *rows, int64_t row, int64_t k, float *out) {
  part_of_row(type, rows, k, row, 0, k / wt_types[type].elements, FOR_READING, out);
}

#endif
