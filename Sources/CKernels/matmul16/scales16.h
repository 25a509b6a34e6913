// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The scales of 32 elements of 16 rows, and the parts that their unpacking is made of.
#ifndef CKERNELS_SCALES16_H
#define CKERNELS_SCALES16_H

#include "../ground/layout16.h"
#include PRODUCTS

typedef struct {
  v16 scale;         // of the block; with sub-scales, d
  sub_scale sub[2];  // of 16 elements each
  v16 min[2];        // with the sign with which it is added; the second only with sub-scales
} scales16;

INLINE line nibbles(line v, bool high) { return high ? v >> 4 : v & 15; }
INLINE v16c nibbles16(v16c v, bool high) { return high ? v >> 4 : v & 15; }

INLINE v16 half_scale(const uint8_t *p) { return v_load_half((const uint16_t *)p); }

// Returns the scales of types with one or two halves for 32 elements.
INLINE scales16 one_scale(const uint8_t *head) { return (scales16){.scale = half_scale(head)}; }
INLINE scales16 scale_and_min(const uint8_t *head) { return (scales16){.scale = half_scale(head), .min = {half_scale(head + 32)}}; }

#endif
