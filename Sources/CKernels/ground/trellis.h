// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The generator of ik_llama.cpp's trellis types. The elements of a group of four or eight are pseudo-random numbers, and only the start of
// the sequence is stored.
//
// The state starts at index + 4096, and is multiplied by a constant before each number. The number is the sum of six bits from each of the
// state's four bytes, less 126.
#ifndef CKERNELS_TRELLIS_H
#define CKERNELS_TRELLIS_H

#include <stdint.h>

#include "inline.h"

// The powers of the constant, so that no number has to wait for the one before it.
#define TRELLIS_1 0xcbac1fedu
#define TRELLIS_2 (TRELLIS_1 * TRELLIS_1)
#define TRELLIS_3 (TRELLIS_2 * TRELLIS_1)
#define TRELLIS_4 (TRELLIS_2 * TRELLIS_2)

#define TRELLIS_BITS 0x3f3f3f3fu

enum { trellis_start = 4096, trellis_mean = 126 };

// Returns number n (from 0) of a group.
INLINE int trellis_number(uint32_t index, int n) {
  uint32_t state = index + trellis_start;
  for (int i = 0; i <= n; i++) state *= TRELLIS_1;
  const uint32_t bits = state & TRELLIS_BITS;
  return (int)(bits * 0x01010101u >> 24) - trellis_mean;
}

#endif
