// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The operations of a layer other than products with weights and attention. Included by one file per instruction set.
//
// Sums are made in 16 lanes (element i goes to lane i mod 16, in order, by fma) and then added by the tree of v_sum.
#ifndef CKERNELS_OPS_BODY_H
#define CKERNELS_OPS_BODY_H

#include <math.h>

#include "CKernels.h"
#include "../ground/v16.h"
#include "exponentials.h"

// An element-wise function of two inputs and two constants.
typedef v16 (*pointwise)(v16 a, v16 b, float s, float t);

// out[i] = f(a[i], b[i], s, t). out may be a or b.
INLINE void map(pointwise f, const float *a, const float *b, float s, float t, int64_t n, float *out) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) v_store(out + i, f(v_load(a + i), v_load(b + i), s, t));
  if (i < n) v_store_part(out + i, f(v_load_part(a + i, n - i), v_load_part(b + i, n - i), s, t), n - i);
}

INLINE v16 add_of(v16 a, v16 b, float s, float t) {
  (void)s, (void)t;
  return a + b;
}
INLINE v16 multiply_of(v16 a, v16 b, float s, float t) {
  (void)s, (void)t;
  return a * b;
}
INLINE v16 add_scaled_of(v16 a, v16 b, float s, float t) {
  (void)t;
  return v_fma(b, v_set(s), a);
}
INLINE v16 scale_of(v16 a, v16 b, float s, float t) {
  (void)b, (void)t;
  return a * s;
}
INLINE v16 silu_of(v16 gate, v16 up, float s, float t) {
  (void)s, (void)t;
  return v_logistic_product(gate, gate) * up;
}
// GELU(x) = x / 2 * (1 + tanh(u)) = x / (1 + exp(-2u)), u = sqrt(2 / pi) * x * (1 + 0.044715 x²).
INLINE v16 gelu_of(v16 gate, v16 up, float s, float t) {
  (void)s, (void)t;
  v16 u = gate * 0.79788456080286535587989211986876f * v_fma(gate * 0.044715f, gate, v_set(1.0f));
  return v_logistic_product(gate, u + u) * up;
}
INLINE v16 swiglu_of(v16 gate, v16 up, float alpha, float limit) {
  v16 g = gate > limit ? v_set(limit) : gate;
  v16 u = up > limit ? v_set(limit) : up;
  u = u < -limit ? v_set(-limit) : u;
  return v_logistic_product(g, g * alpha) * (u + 1.0f);
}

INLINE v16 swiglu_limited_of(v16 gate, v16 up, float limit, float t) {
  (void)t;
  v16 g = v_logistic_product(gate, gate);
  g = g > limit ? v_set(limit) : g;
  v16 u = up > limit ? v_set(limit) : up;
  u = u < -limit ? v_set(-limit) : u;
  return g * u;
}
INLINE v16 situ_of(v16 gate, v16 up, float beta, float linear) {
  v16 bent = linear > 0 ? linear * v_tanh(up / linear) : up;
  return v_logistic_product(beta * v_tanh(gate / beta), gate) * bent;
}
INLINE v16 logistic_of(v16 x, v16 gate, float s, float t) {
  (void)s, (void)t;
  return v_logistic_product(x, gate);
}
INLINE v16 less_of(v16 a, v16 b, float s, float t) {
  (void)b, (void)t;
  return a - s;
}

static void add(const float *a, const float *b, int64_t n, float *out) { map(add_of, a, b, 0, 0, n, out); }
static void multiply(const float *a, const float *b, int64_t n, float *out) { map(multiply_of, a, b, 0, 0, n, out); }
static void add_scaled(const float *a, const float *b, float s, int64_t n, float *out) { map(add_scaled_of, a, b, s, 0, n, out); }
static void scale(const float *x, float s, int64_t n, float *out) { map(scale_of, x, x, s, 0, n, out); }
static void silu_multiply(const float *gate, const float *up, int64_t n, float *out) { map(silu_of, gate, up, 0, 0, n, out); }
static void gelu_multiply(const float *gate, const float *up, int64_t n, float *out) { map(gelu_of, gate, up, 0, 0, n, out); }
static void swiglu_clamped(const float *gate, const float *up, float alpha, float limit, int64_t n, float *out) {
  map(swiglu_of, gate, up, alpha, limit, n, out);
}

static void swiglu_limited(const float *gate, const float *up, float limit, int64_t n, float *out) {
  map(swiglu_limited_of, gate, up, limit, 0, n, out);
}
static void situ_multiply(const float *gate, const float *up, float beta, float linear, int64_t n, float *out) {
  map(situ_of, gate, up, beta, linear, n, out);
}
static void logistic_multiply(const float *x, const float *gate, int64_t n, float *out) { map(logistic_of, x, gate, 0, 0, n, out); }

// Order: the sum in 16 lanes, by addition; x - sum / n.
static void center(const float *x, int64_t n, float *out) {
  v16 sums = v_set(0);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) sums += v_load(x + i);
  if (i < n) sums += v_load_part(x + i, n - i);
  map(less_of, x, x, v_sum(sums) / (float)n, 0, n, out);
}

// Order: sum of squares in 16 lanes; s = 1 / sqrt(sum / n + epsilon); out = (x * s) * weight.
static void rms_norm(const float *x, const float *weight, float epsilon, int64_t n, float *out) {
  v16 squares = v_set(0);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) squares = v_fma(v_load(x + i), v_load(x + i), squares);
  if (i < n) {
    v16 rest = v_load_part(x + i, n - i);
    squares = v_fma(rest, rest, squares);
  }
  float s = 1.0f / sqrtf(v_sum(squares) / (float)n + epsilon);
  if (!weight) {
    scale(x, s, n, out);
    return;
  }
  for (i = 0; i + 16 <= n; i += 16) v_store(out + i, v_load(x + i) * s * v_load(weight + i));
  if (i < n) v_store_part(out + i, v_load_part(x + i, n - i) * s * v_load_part(weight + i, n - i), n - i);
}

// (a, b) -> (a cos - b sin, a sin + b cos): fma(-b, sin, a * cos) and fma(b, cos, a * sin).
static void rope_halves(float *head, const float *cosines, const float *sines, int64_t dimensions) {
  int64_t half = dimensions / 2, i = 0;
  float *second = head + half;
  for (; i + 16 <= half; i += 16) {
    v16 a = v_load(head + i), b = v_load(second + i), c = v_load(cosines + i), s = v_load(sines + i);
    v_store(head + i, v_fma(-b, s, a * c));
    v_store(second + i, v_fma(b, c, a * s));
  }
  if (i < half) {
    int64_t rest = half - i;
    v16 a = v_load_part(head + i, rest), b = v_load_part(second + i, rest);
    v16 c = v_load_part(cosines + i, rest), s = v_load_part(sines + i, rest);
    v_store_part(head + i, v_fma(-b, s, a * c), rest);
    v_store_part(second + i, v_fma(b, c, a * s), rest);
  }
}

static void rope_adjacent(float *head, const float *cosines, const float *sines, int64_t dimensions) {
  int64_t half = dimensions / 2, i = 0;
  for (; i + 16 <= half; i += 16) {
    v16 low = v_load(head + 2 * i), high = v_load(head + 2 * i + 16), c = v_load(cosines + i), s = v_load(sines + i);
    v16 a = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    v16 b = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    v16 x = v_fma(-b, s, a * c), y = v_fma(b, c, a * s);
    v_store(head + 2 * i, __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    v_store(head + 2 * i + 16, __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
  }
  for (; i < half; i++) {
    float a = head[2 * i], b = head[2 * i + 1];
    head[2 * i] = fmaf(-b, sines[i], a * cosines[i]);
    head[2 * i + 1] = fmaf(b, cosines[i], a * sines[i]);
  }
}

// Order: e = exp(x - max), the sum of e in 16 lanes, e * (1 / sum).
static void softmax(float *x, int64_t n) {
  if (n <= 0) return;
  v16 greatest = v_set(-INFINITY);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) greatest = v_max(v_load(x + i), greatest);
  float maximum = v_greatest(greatest);
  for (; i < n; i++) maximum = x[i] > maximum ? x[i] : maximum;
  v16 total = v_set(0);
  for (i = 0; i + 16 <= n; i += 16) {
    v16 e = v_exp(v_load(x + i) - maximum);
    v_store(x + i, e);
    total += e;
  }
  if (i < n) {
    v_store_part(x + i, v_exp(v_load_part(x + i, n - i) - maximum), n - i);
    total += v_load_part(x + i, n - i);
  }
  scale(x, 1.0f / v_sum(total), n, x);
}

static void store_key(const float *key, int64_t dim, int64_t position, uint16_t *keys) {
  uint16_t *out = keys + position / 16 * dim * 16 + position % 16;
  uint16_t halves[16];
  int64_t i = 0;
  for (; i + 16 <= dim; i += 16) {
    v_store_half(halves, v_load(key + i));
    for (int j = 0; j < 16; j++) out[(i + j) * 16] = halves[j];
  }
  if (i < dim) v_store_half(halves, v_load_part(key + i, dim - i));
  for (int j = 0; i + j < dim; j++) out[(i + j) * 16] = halves[j];
}

#endif
