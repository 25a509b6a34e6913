// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// What layers do that keep a state of one size instead of keys and values. Included by one file per instruction set.
#ifndef CKERNELS_RECURRENCE_BODY_H
#define CKERNELS_RECURRENCE_BODY_H

#include "CKernels.h"
#include "../ground/v16.h"

// `count` channels, at most 16, from channel i on.
INLINE void convolve_channels(
    float *state, const float *x, const float *weights, const float *bias, int64_t taps, int64_t stride, int64_t i, int64_t count,
    float *out) {
  v16 sum = bias ? v_load_part(bias + i, count) : v_set(0);
  v16 input = v_load_part(x + i, count);
  for (int64_t t = 0; t + 1 < taps; t++) {
    float *kept = state + t * stride + i;
    sum = v_fma(v_load_part(kept, count), v_load_part(weights + t * stride + i, count), sum);
    v_store_part(kept, t + 2 < taps ? v_load_part(kept + stride, count) : input, count);
  }
  v_store_part(out + i, v_fma(input, v_load_part(weights + (taps - 1) * stride + i, count), sum), count);
}

static void convolve(
    float *state, const float *x, const float *weights, const float *bias, int64_t taps, int64_t stride, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i += 16) convolve_channels(state, x, weights, bias, taps, stride, i, n - i < 16 ? n - i : 16, out);
}

// All 16, or where `count` is not 16, so many.
INLINE v16 load_count(const float *x, int64_t count) { return count == 16 ? v_load(x) : v_load_part(x, count); }

INLINE void store_count(float *x, v16 value, int64_t count) {
  if (count == 16) {
    v_store(x, value);
  } else {
    v_store_part(x, value, count);
  }
}

// `vectors` vectors of `count` columns of the state, from column j on: their second pass finds them in the nearest cache.
INLINE void recur_columns(const ck_recurrence *r, int64_t j, int vectors, int64_t count) {
  float *state = r->state + j;
  v16 u[4], output[4];
  for (int k = 0; k < vectors; k++) u[k] = output[k] = v_set(0);
  if (r->corrects) {
    for (int64_t i = 0; i < r->key_dim; i++) {
      float decay = r->decays ? r->decays[i] : r->decay;
      v16 key = v_set(r->key[i]);
      float *row = state + i * r->value_dim;
      for (int k = 0; k < vectors; k++) {
        v16 s = load_count(row + 16 * k, count) * decay;
        store_count(row + 16 * k, s, count);
        u[k] = v_fma(key, s, u[k]);
      }
    }
  }
  for (int k = 0; k < vectors; k++) u[k] = (load_count(r->value + j + 16 * k, count) - u[k]) * r->beta;
  for (int64_t i = 0; i < r->key_dim; i++) {
    float decay = r->corrects ? 1.0f : r->decays ? r->decays[i] : r->decay;
    v16 key = v_set(r->key[i]), query = v_set(r->query[i]);
    float *row = state + i * r->value_dim;
    for (int k = 0; k < vectors; k++) {
      v16 s = v_fma(key, u[k], load_count(row + 16 * k, count) * decay);
      store_count(row + 16 * k, s, count);
      output[k] = v_fma(query, s, output[k]);
    }
  }
  for (int k = 0; k < vectors; k++) store_count(r->output + j + 16 * k, output[k], count);
}

static void recur(const ck_recurrence *r) {
  int64_t j = 0;
  for (; j + 64 <= r->value_dim; j += 64) recur_columns(r, j, 4, 16);
  for (; j + 16 <= r->value_dim; j += 16) recur_columns(r, j, 1, 16);
  if (j < r->value_dim) recur_columns(r, j, 1, r->value_dim - j);
}

#endif
