// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The 16-row kernels in plain C: the reference that every other instruction set matches bit for bit.
//
// Order of the sums, for row r and column c, over blocks b of 32 elements, with acc = +0 at first:
//   types with one scale in a block   acc = fma(float(I), scale * da, acc)            I = exact sum of value * quant
//   Q2_K Q3_K Q6_K (one for 16)       acc = fma(float(J), d * da, acc)                J = scale_0 * I_0 + scale_1 * I_1, exact
//   NVFP4 (a float for 16)            acc = fma(J, da, acc)                           J the same, rounded once
//   then types with mins              acc = fma(min, da * float(S), acc)              S = sum of the quants; for 16 at a time in Q2_K
// da is the scale of the activations' block. `min` has the sign with which it is added: -(dmin * m) in the K types.
// F16, BF16: four chains acc_j = fma(w[k], x[k], acc_j) over k = j mod 4; result (acc_0 + acc_1) + (acc_2 + acc_3).
#include <math.h>

#include "kinds.h"
#include "matmul16.h"
#include "unpack_portable.h"
#include "unpack_portable_ik.h"
#include "unpack_portable_trellis.h"

#pragma clang fp contract(off)

// ---- 32 elements of one row -----------------------------------------------------------------------------------------

static row_block (*const unpack[WT_COUNT])(block16 block, int s, int r) = {
#define ROW(name, number, ...) [number] = unpack_##name,
    WEIGHT_TYPES(WT_NONE, WT_NONE, ROW, ROW, WT_NONE)
#undef ROW
};

// ---- products -------------------------------------------------------------------------------------------------------

static float add_block(float acc, uint32_t kind, const row_block *w, const int8_t *quants, float scale, const int16_t *sums) {
  int32_t sum[2] = {0};
  for (int i = 0; i < 32; i++) sum[i / 16] += w->values[i] * quants[i];
  const float total = has_float_scales(kind) ? fmaf((float)sum[1], w->factor[1], (float)sum[0] * w->factor[0])
                                             : (float)(w->sub_scale[0] * sum[0] + w->sub_scale[1] * sum[1]);
  acc = fmaf(total, w->scale * scale, acc);
  if (!has_mins(kind)) return acc;
  if (!has_sub_scales(kind)) return fmaf(w->min[0], scale * (float)(sums[0] + sums[1]), acc);
  acc = fmaf(w->min[0], scale * (float)sums[0], acc);
  return fmaf(w->min[1], scale * (float)sums[1], acc);
}

static void matmul_quantised(const ck_matmul *m) {
  const layout16 layout = layout16_of(m->type);
  const int64_t group_bytes = layout16_group_bytes(layout, m->k), blocks = m->k / 32, in_block = layout.block_elements / 32;
  for (int64_t row = m->row_begin; row < m->row_end; row++) {
    const uint8_t *group = m->weights + row / 16 * group_bytes;
    for (int64_t c = 0; c < m->columns; c++) m->output[c * m->output_stride + row] = 0;
    for (int64_t b = 0; b < blocks; b++) {
      const row_block w = unpack[wt_types[m->type].base](block16_at(layout, group, m->k, b / in_block), (int)(b % in_block), (int)(row % 16));
      for (int64_t c = 0; c < m->columns; c++) {
        const int64_t column = m->column_map != NULL ? m->column_map[c] : c;
        float *out = &m->output[c * m->output_stride + row];
        *out = add_block(*out, kind_of(m->type), &w, m->q8.quants + column * m->k + 32 * b, m->q8.scales[column * blocks + b],
                         m->q8.sums + (column * blocks + b) * 2);
      }
    }
  }
}

static float wide_at(uint32_t type, const uint8_t *group, int64_t i, int64_t r) {
  const uint8_t *half = group + 32 * i + 2 * r;
  return type == WT_F16 ? v_half(half) : float_of_bf16(load_u16(half));
}

static void matmul_wide(const ck_matmul *m) {
  const int64_t group_bytes = layout16_group_bytes(layout16_of(m->type), m->k);
  for (int64_t row = m->row_begin; row < m->row_end; row++) {
    const uint8_t *group = m->weights + row / 16 * group_bytes;
    for (int64_t c = 0; c < m->columns; c++) {
      const float *x = m->x + (m->column_map != NULL ? m->column_map[c] : c) * m->x_stride;
      float acc[4] = {0};
      for (int64_t i = 0; i < m->k; i++) acc[i % 4] = fmaf(wide_at(m->type, group, i, row % 16), x[i], acc[i % 4]);
      m->output[c * m->output_stride + row] = (acc[0] + acc[1]) + (acc[2] + acc[3]);
    }
  }
}

// ---- single rows, activations ---------------------------------------------------------------------------------------

static void dequantize16(uint32_t type, const void *group, int64_t row, int64_t k, float *out) {
  const layout16 layout = layout16_of(type);
  if (layout.block_elements == 1) {
    for (int64_t i = 0; i < k; i++) out[i] = wide_at(type, group, i, row);
    return;
  }
  const int64_t in_block = layout.block_elements / 32;
  for (int64_t b = 0; b < k / 32; b++) {
    const block16 block = block16_at(layout, group, k, b / in_block);
    const row_block w = unpack[wt_types[type].base](block, (int)(b % in_block), (int)row);
    for (int i = 0; i < 32; i++) {
      if (reads_otherwise(type)) {
        out[32 * b + i] = read_element(type, block, (int)(b % in_block), i, (int)row);
        continue;
      }
      const float sub_scale = has_float_scales(kind_of(type)) ? w.factor[i / 16] : (float)w.sub_scale[i / 16];
      const float product = w.scale * sub_scale * (float)w.values[i];
      out[32 * b + i] = has_mins(kind_of(type)) ? product + w.min[i / 16] : product;
    }
  }
}

// A block with infinite or NaN activations gets the scale NaN, so that its products are NaN and not arbitrary numbers. Quants are limited
// to ±127, which the coarsely rounded scales of subnormal blocks would otherwise exceed.
static void quantize(const float *x, int64_t k, int8_t *quants, float *scales, int16_t *sums) {
  for (int64_t b = 0; b < k / 32; b++) {
    uint32_t max = 0;  // magnitudes compare like their bits; NaN is above infinity
    for (int i = 0; i < 32; i++) {
      uint32_t bits;
      memcpy(&bits, &x[32 * b + i], 4);
      bits &= 0x7fffffff;
      if (bits > max) max = bits;
    }
    const float scale = max > 0x7f7fffff ? NAN : float_of_bits(max) / 127;
    scales[b] = scale;
    for (int h = 0; h < 2; h++) {
      int sum = 0;
      for (int64_t i = 32 * b + 16 * h; i < 32 * b + 16 * h + 16; i++) {
        const float quant = scale > 0 ? rintf(x[i] / scale) : 0;
        quants[i] = (int8_t)(quant > 127 ? 127 : quant < -127 ? -127 : quant);
        sum += quants[i];
      }
      sums[2 * b + h] = (int16_t)sum;
    }
  }
}

void ck_fill_matmul16_portable(ck_table *table) {
#define ENTER_FLOATS(name, ...) table->matmul16[WT_##name] = matmul_wide;
#define ENTER_LINES(name, ...)                   \
  table->matmul16[WT_##name] = matmul_quantised; \
  table->reads_q8[WT_##name] = 1;
#define ENTER_GROUPED(name, number, elements, bytes, header, since, base, rows) \
  table->matmul16[WT_##name] = table->matmul16[WT_##base];                     \
  table->reads_q8[WT_##name] = table->reads_q8[WT_##base];
  WEIGHT_TYPES(WT_NONE, ENTER_FLOATS, ENTER_LINES, ENTER_LINES, ENTER_GROUPED)
#undef ENTER_FLOATS
#undef ENTER_LINES
#undef ENTER_GROUPED
  table->dequantize16 = dequantize16;
  table->quantize = quantize;
}
