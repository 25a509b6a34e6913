// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The operations of layers that keep a state of fixed size instead of keys and values. Included by one file per instruction set.
#ifndef CKERNELS_RECURRENCE_BODY_H
#define CKERNELS_RECURRENCE_BODY_H

#include "CKernels.h"
#include "../ground/v16.h"

// Loads 16 lanes, or `count` lanes if that is not 16.
INLINE v16 load_count(const float *x, int64_t count) { return count == 16 ? v_load(x) : v_load_part(x, count); }

INLINE void store_count(float *x, v16 value, int64_t count) {
  if (count == 16) {
    v_store(x, value);
  } else {
    v_store_part(x, value, count);
  }
}

// Convolves `count` channels, at most 16, from channel i on.
INLINE void convolve_channels(
    float *state, const float *x, const float *weights, const float *bias, int64_t taps, int64_t stride, int64_t i, int64_t count,
    float *out) {
  v16 sum = bias ? load_count(bias + i, count) : v_set(0);
  v16 input = load_count(x + i, count);
  for (int64_t t = 0; t + 1 < taps; t++) {
    float *kept = state + t * stride + i;
    sum = v_fma(load_count(kept, count), load_count(weights + t * stride + i, count), sum);
    store_count(kept, t + 2 < taps ? load_count(kept + stride, count) : input, count);
  }
  store_count(out + i, v_fma(input, load_count(weights + (taps - 1) * stride + i, count), sum), count);
}

static void convolve(
    float *state, const float *x, const float *weights, const float *bias, int64_t taps, int64_t stride, int64_t n, float *out) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) convolve_channels(state, x, weights, bias, taps, stride, i, 16, out);
  if (i < n) convolve_channels(state, x, weights, bias, taps, stride, i, n - i, out);
}

// Updates `vectors` vectors of `count` columns of the state, from column j on. These are few enough that the second pass finds them in the
// first-level cache.
INLINE void recur_columns(const ck_recurrence *r, int corrects, int64_t j, int vectors, int64_t count) {
  float *state = r->state + j;
  v16 u[4], output[4];
  for (int k = 0; k < vectors; k++) u[k] = output[k] = v_set(0);
  if (corrects) {
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
    float decay = r->decays ? r->decays[i] : r->decay;
    v16 key = v_set(r->key[i]), query = v_set(r->query[i]);
    float *row = state + i * r->value_dim;
    for (int k = 0; k < vectors; k++) {
      v16 kept = load_count(row + 16 * k, count);
      // If the first pass corrects, it has already applied the decay to the state.
      v16 s = v_fma(key, u[k], corrects ? kept : kept * decay);
      store_count(row + 16 * k, s, count);
      output[k] = v_fma(query, s, output[k]);
    }
  }
  for (int k = 0; k < vectors; k++) store_count(r->output + j + 16 * k, output[k], count);
}

INLINE void recur_all(const ck_recurrence *r, int corrects) {
  int64_t j = 0;
  for (; j + 64 <= r->value_dim; j += 64) recur_columns(r, corrects, j, 4, 16);
  for (; j + 16 <= r->value_dim; j += 16) recur_columns(r, corrects, j, 1, 16);
  if (j < r->value_dim) recur_columns(r, corrects, j, 1, r->value_dim - j);
}

static void recur(const ck_recurrence *r) {
  if (r->corrects) {
    recur_all(r, 1);
  } else {
    recur_all(r, 0);
  }
}

#endif
