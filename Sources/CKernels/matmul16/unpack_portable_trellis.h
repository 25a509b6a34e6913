// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Elements 32 s to 32 s + 31 of row r of a block of ik_llama.cpp's trellis types: see unpack_portable.h.
#ifndef CKERNELS_UNPACK_PORTABLE_TRELLIS_H
#define CKERNELS_UNPACK_PORTABLE_TRELLIS_H

#include "../ground/trellis.h"
#include "unpack_portable_ik.h"

// Returns the nibble of a scale; the low ones belong to blocks 0 to 3.
static int scale_nibble_at(block16 block, int s, int r) { return byte_at(block.head, 0, s % 4, r) >> (s / 4 * 4) & 15; }

static row_block unpack_IQ1_KT(block16 block, int s, int r) {
  const int last = byte_at(block.head, 0, s, r);
  row_block out = {.scale = row_float(block, r) * (float)iq4_values[last & 15], .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) {
    const int p = i / 8, high = quant_at(block.body, 32, s % 4 * 4 + p, r) >> (s / 4 * 4) & 15;
    const int index = quant_at(block.body, 0, 4 * s + p, r) | high << 8 | (last >> (4 + p) & 1) << 12;
    out.values[i] = (int16_t)trellis_number((uint32_t)index, i % 8);
  }
  return out;
}

// Returns number i of the 32 for types with 16-bit indices.
static int number_at(block16 block, int s, int i, int r) {
  const uint32_t index = word_at(block.body, 0, 8 * s + i / 16 * 4, r) >> (i / 8 % 2 * 16) & 0xffff;
  return trellis_number(index, i % 8);
}

static row_block unpack_IQ2_KT(block16 block, int s, int r) {
  const float scale = row_float(block, r) * ik_factor_IQ2_KT;
  row_block out = {.scale = scale * (float)iq4_values[scale_nibble_at(block, s, r)], .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) out.values[i] = (int16_t)number_at(block, s, i, r);
  return out;
}

static row_block unpack_IQ3_KT(block16 block, int s, int r) {
  const float scale = row_float(block, r) * ik_factor_IQ3_KT;
  row_block out = {.scale = scale * (float)scale_nibble_at(block, s, r), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) {
    const int number = number_at(block, s, i, r), magnitude = number < 0 ? -number : number;
    out.values[i] = (int16_t)(one_bit_at(block.body, 64, s, i, r) ? -magnitude : magnitude);
  }
  return out;
}

static row_block unpack_IQ4_KT(block16 block, int s, int r) {
  const uint32_t word = word_at(block.head, 0, 4 * s, r);
  row_block out = {.scale = row_float(block, r) * (float)((int)(word >> 1 & 127) - 64), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) {
    const int g = i / 4;
    const uint32_t high = quant_at(block.body, 64, s % 4 * 8 + g, r) >> (s / 4 * 4) & 15, last = word >> (8 + 3 * g) & 7;
    const uint32_t index = quant_at(block.body, 0, 8 * s + g, r) | high << 8 | last << 12;
    out.values[i] = (int16_t)trellis_number(index + ((word & 1) << 15), i % 4);
  }
  return out;
}

// ---- what rows are read as --------------------------------------------------------------------------------------------

// Three types are multiplied with other weights than the reference reads (dequantize_body.h). This returns element i of the 32 as the
// reference reads it.
static float read_element(uint32_t type, block16 block, int s, int i, int r) {
  switch (type) {
    case WT_IQ6_K: return read_IQ6_K(block, s, i, r);
    case WT_IQ2_KT: return row_float(block, r) * (float)iq4_values[scale_nibble_at(block, s, r)] * (float)number_at(block, s, i, r);
    default: {
      const int number = number_at(block, s, i, r);
      const float product = row_float(block, r) * (float)scale_nibble_at(block, s, r) * (float)(number < 0 ? -number : number);
      return one_bit_at(block.body, 64, s, i, r) ? -product : product;
    }
  }
}
static bool reads_otherwise(uint32_t type) { return type == WT_IQ6_K || type == WT_IQ2_KT || type == WT_IQ3_KT; }

#endif
