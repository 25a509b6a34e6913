// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The scores by which attention chooses positions, and the copying of the chosen ones. Included by one file per instruction set.
#ifndef CKERNELS_CHOICE_BODY_H
#define CKERNELS_CHOICE_BODY_H

#include <string.h>

#include "CKernels.h"
#include "../ground/v16.h"

// Adds the terms of `heads` heads for 16 positions to `sum`, in order.
INLINE v16 index_heads(const float *queries, const float *weights, int heads, int64_t dim, const float *keys, v16 sum) {
  v16 dots[4];
  for (int h = 0; h < heads; h++) dots[h] = v_set(0);
  for (int64_t d = 0; d < dim; d++) {
    v16 key = v_load(keys + d * 16);
    for (int h = 0; h < heads; h++) dots[h] = v_fma(v_set(queries[h * dim + d]), key, dots[h]);
  }
  for (int h = 0; h < heads; h++) sum = v_fma(v_set(weights[h]), v_max(dots[h], v_set(0)), sum);
  return sum;
}

static void index_positions(
    const float *queries, const float *weights, int64_t heads, int64_t dim, const float *keys, int64_t positions, float *out) {
  for (int64_t p = 0; p < positions; p += 16) {
    v16 sum = v_set(0);
    if (!weights) {
      for (int64_t d = 0; d < dim; d++) sum = v_fma(v_set(queries[d]), v_load(keys + p * dim + d * 16), sum);
      v_store(out + p, sum);
      continue;
    }
    int64_t h = 0;
    for (; h + 4 <= heads; h += 4) sum = index_heads(queries + h * dim, weights + h, 4, dim, keys + p * dim, sum);
    for (; h < heads; h++) sum = index_heads(queries + h * dim, weights + h, 1, dim, keys + p * dim, sum);
    v_store(out + p, sum);
  }
}

#define GATHER_KEYS(name, number)                                                                                     \
  static void name(const int32_t *list, int64_t count, const number *keys, int64_t dim, number *out) {                \
    for (int64_t first = 0; first < count; first += 16, out += dim * 16) {                                            \
      const number *sources[16];                                                                                      \
      int64_t here = count - first < 16 ? count - first : 16;                                                         \
      for (int64_t i = 0; i < here; i++) sources[i] = keys + list[first + i] / 16 * dim * 16 + list[first + i] % 16;  \
      for (int64_t d = 0; d < dim; d++) {                                                                             \
        for (int64_t i = 0; i < 16; i++) out[d * 16 + i] = i < here ? sources[i][d * 16] : 0;                         \
      }                                                                                                               \
    }                                                                                                                 \
  }

GATHER_KEYS(gather_keys, uint16_t)
GATHER_KEYS(gather_latents, float)
#undef GATHER_KEYS

static void gather(
    const int32_t *list, int64_t count, const uint16_t *keys, int64_t key_dim, const uint16_t *values, int64_t value_dim,
    uint16_t *out_keys, uint16_t *out_values) {
  gather_keys(list, count, keys, key_dim, out_keys);
  const size_t bytes = (size_t)value_dim * sizeof *values;
  for (int64_t i = 0; i < count; i++) memcpy(out_values + i * value_dim, values + list[i] * value_dim, bytes);
  memset(out_values + count * value_dim, 0, (size_t)((16 - count % 16) % 16) * bytes);
}

#endif
