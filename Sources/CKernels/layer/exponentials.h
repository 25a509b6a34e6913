// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// exp, tanh and products with the logistic function on 16 floats, by the same operations on every instruction set.
//
// The error of exp is at most 1.1 units in the last place over the whole range, including subnormal results; that of tanh is at most 2.
#ifndef CKERNELS_EXPONENTIALS_H
#define CKERNELS_EXPONENTIALS_H

#include "../ground/v16.h"

// exp(x) = 2^n * exp(r), n = round(x / ln 2), |r| <= ln 2 / 2. exp(0) is exactly 1, exp(-inf) 0, exp(+inf) +inf, exp(NaN) a NaN.
INLINE v16 v_exp(v16 x) {
  // Outside this range the result rounds to zero or infinity anyway; a NaN fails both comparisons and stays.
  x = x > 89.0f ? v_set(89.0f) : x;
  x = x < -104.0f ? v_set(-104.0f) : x;
  // Adding 1.5 * 2^23 leaves the rounded quotient in the low bits.
  const float shift = 0x1.8p23f;
  v16 shifted = v_fma(x, v_set(0x1.715476p0f), v_set(shift));
  v16 n = shifted - shift;
  // ln 2 in two parts. The first has few bits, so its product is exact.
  v16 r = v_fma(n, v_set(-0x1.63p-1f), x);
  r = v_fma(n, v_set(0x1.bd0106p-13f), r);
  // exp(r) = 1 + r + r² q(r); q is a minimax fit, relative error of the whole under 2^-28.
  v16 q = v_fma(r, v_set(0x1.6a23fep-10f), v_set(0x1.1239dep-7f));
  q = v_fma(q, r, v_set(0x1.5558f2p-5f));
  q = v_fma(q, r, v_set(0x1.555492p-3f));
  q = v_fma(q, r, v_set(0x1.fffffcp-2f));
  v16 e = v_fma(q, r * r, r) + 1.0f;
  // 2^n as two factors, because a single one could not reach subnormal results or 2^128.
  v16i exponent = (v16i)((v16u)shifted - 0x4b400000u);
  v16i half = exponent >> 1;
  v16u first = (v16u)half + 127u;
  v16u second = (v16u)exponent - (v16u)half + 127u;
  return e * (v16)(first << 23) * (v16)(second << 23);
}

// Returns x times the logistic function of u, 1 / (1 + exp(-u)), in a form that neither cancels nor overflows.
INLINE v16 v_logistic_product(v16 x, v16 u) {
  v16 e = v_exp(v_float(v_bits(u) | (int32_t)0x80000000));
  return (u < 0 ? x * e : x) / (e + 1.0f);
}

// tanh is an odd polynomial near zero; elsewhere it is 1 - 2 / (exp(2|x|) + 1) with the sign of x.
INLINE v16 v_tanh(v16 x) {
  v16i sign = v_bits(x) & (int32_t)0x80000000;
  v16 y = v_float(v_bits(x) & 0x7fffffff);
  v16 z = y * y;
  v16 p = v_fma(z, v_set(-0.005716852f), v_set(0.020650398f));
  p = v_fma(p, z, v_set(-0.053743433f));
  p = v_fma(p, z, v_set(0.13331491f));
  p = v_fma(p, z, v_set(-0.33333284f));
  v16 near = v_fma(p * z, y, y);
  v16 far = 1.0f - 2.0f / (v_exp(y + y) + 1.0f);
  v16 result = y < 0.625f ? near : far;
  return v_float(v_bits(result) | sign);
}

#endif
