// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Lines: 64 bytes, four of each of 16 rows.
//
//   SIGNED_LINES   a parameter of the instruction set: whether lines of wide kinds hold signed bytes
#ifndef CKERNELS_LINES_H
#define CKERNELS_LINES_H

#include "../ground/v16.h"
#include "kinds.h"

// Rows 0 to 15, four bytes each.
typedef uint8_t line __attribute__((ext_vector_type(64)));
typedef uint8_t line_at __attribute__((ext_vector_type(64), aligned(1), may_alias));
// 16-bit lanes: two of each row.
typedef int16_t pairs __attribute__((ext_vector_type(32)));

INLINE line line_load(const uint8_t *p) { return *(const line_at *)p; }
INLINE v16i widen(v16c a) { return __builtin_convertvector(a, v16i); }
INLINE v16 to_float(v16i a) { return __builtin_convertvector(a, v16); }

// Returns by how much the bytes of lines exceed the values.
INLINE int offset_of(uint32_t kind) { return is_wide(kind) && SIGNED_LINES ? 0 : kinds[kind].offset; }

#endif
