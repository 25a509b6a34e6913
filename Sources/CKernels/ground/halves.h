// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Conversion of runs of half-precision numbers to floats and back.
#ifndef CKERNELS_HALVES_H
#define CKERNELS_HALVES_H

#include "v16.h"

static void to_f16(const float *x, int64_t n, uint16_t *out) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) v_store_half(out + i, v_load(x + i));
  if (i < n) {
    uint16_t rest[16];
    v_store_half(rest, v_load_part(x + i, n - i));
    memcpy(out + i, rest, (size_t)(n - i) * sizeof *out);
  }
}

static void from_f16(const uint16_t *x, int64_t n, float *out) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) v_store(out + i, v_load_half(x + i));
  if (i < n) {
    uint16_t rest[16] = {0};
    memcpy(rest, x + i, (size_t)(n - i) * sizeof *x);
    v_store_part(out + i, v_load_half(rest), n - i);
  }
}

#endif
