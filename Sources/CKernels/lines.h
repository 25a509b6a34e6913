// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Lines: 64 bytes, four of each of 16 rows; and what the kernels know of a weight type.
#ifndef CKERNELS_LINES_H
#define CKERNELS_LINES_H

#include <stdbool.h>

#include "layout16.h"
#include "ops_v16.h"

#pragma clang fp contract(off)
// Vectors are passed between inlined functions only, so there is no calling convention to agree on.
#pragma clang diagnostic ignored "-Wpsabi"

// Rows 0 to 15, four bytes each.
typedef uint8_t line __attribute__((ext_vector_type(64)));
typedef uint8_t line_at __attribute__((ext_vector_type(64), aligned(1), may_alias));
// 16-bit lanes: two of each row.
typedef int16_t pairs __attribute__((ext_vector_type(32)));
typedef uint8_t v16c __attribute__((ext_vector_type(16)));
typedef uint8_t v16c_at __attribute__((ext_vector_type(16), aligned(1), may_alias));

INLINE line line_load(const uint8_t *p) { return *(const line_at *)p; }
INLINE v16c bytes_load(const uint8_t *p) { return *(const v16c_at *)p; }
INLINE v16i widen(v16c a) { return __builtin_convertvector(a, v16i); }
INLINE v16 to_float(v16i a) { return __builtin_convertvector(a, v16); }

// ---- what a type is -------------------------------------------------------------------------------------------------

INLINE bool has_mins(uint32_t type) {
  return type == CK_Q4_1 || type == CK_Q5_1 || type == CK_Q2_K || type == CK_Q4_K || type == CK_Q5_K;
}

INLINE bool has_sub_scales(uint32_t type) { return type == CK_Q2_K || type == CK_Q3_K || type == CK_Q6_K; }

// Whether values need all eight bits, the sign included.
INLINE bool is_wide(uint32_t type) { return type == CK_Q8_0 || type == CK_IQ4_NL || type == CK_IQ4_XS; }

// The greatest byte in the unsigned lines of a type that is not wide.
INLINE int greatest(uint32_t type) {
  switch (type) {
    case CK_Q2_K: return 3;
    case CK_Q3_K: return 7;
    case CK_MXFP4: return 24;
    case CK_Q5_0: case CK_Q5_1: case CK_Q5_K: return 31;
    case CK_Q6_K: return 63;
    default: return 15;
  }
}

// What the bytes of unsigned lines exceed the values by.
INLINE int offset_of(uint32_t type) {
  switch (type) {
    case CK_Q4_0: return 8;
    case CK_Q5_0: return 16;
    case CK_Q3_K: return 4;
    case CK_Q6_K: return 32;
    case CK_MXFP4: return 12;
    default: return is_wide(type) ? (SIGNED_LINES ? 0 : 128) : 0;
  }
}

#endif
