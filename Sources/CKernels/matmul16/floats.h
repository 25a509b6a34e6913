// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Products of float weights, F16 and BF16 (layout r16k1), with float activations.
//
//   WIDE_COLUMNS   a parameter of the instruction set: columns at a time
#ifndef CKERNELS_FLOATS_H
#define CKERNELS_FLOATS_H

#include "sums.h"

INLINE v16 wide_load(uint32_t type, const uint8_t *p) {
  if (type == WT_F16) return v_load_half((const uint16_t *)p);
  return v_float(__builtin_convertvector(*(const v16h_at *)p, v16i) << 16);
}

// Multiplies up to WIDE_COLUMNS columns with one row group. One column runs its four chains at once, to read the weights front to back.
// Several columns run one chain after another, so that all sums stay in registers.
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


#endif
