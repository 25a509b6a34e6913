// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Rows in layout `gguf` to floats, and the plain products made of it. Included by one file per instruction set.
//
// Every value is computed as ggml's reference does, product by product in single precision, so the floats are ggml's to the bit.
#ifndef CKERNELS_DEQUANTIZE_BODY_H
#define CKERNELS_DEQUANTIZE_BODY_H

#include "CKernels.h"
#include "dequantize_grid.h"
#include "dequantize_k.h"
#include "dequantize_simple.h"

// Turns `blocks` blocks into floats.
typedef void (*dequantizer)(const uint8_t *blocks_of_row, int64_t blocks, float *out);

#define ROW(name, number, ...) [number] = row_##name,
static const dequantizer dequantizers[WT_COUNT] = {WEIGHT_TYPES(ROW, ROW, ROW, ROW)};
#undef ROW

#define CHECK(name, number, elements, bytes, header, ...) \
  _Static_assert((header) == 0, #name ": rows with a header have no kernels yet");
WEIGHT_TYPES(CHECK, CHECK, CHECK, CHECK)
#undef CHECK

static void dequantize(uint32_t type, const void *row, int64_t k, float *out) {
  dequantizers[type](row, k / wt_types[type].elements, out);
}

#endif
