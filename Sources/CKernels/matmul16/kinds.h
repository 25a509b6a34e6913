// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The facts about kinds of lines that the kernels use; WeightTypes.h explains them.
#ifndef CKERNELS_KINDS_H
#define CKERNELS_KINDS_H

#include <stdbool.h>
#include <stdint.h>

#include "../ground/inline.h"
#include "WeightTypes.h"

typedef struct {
  uint8_t greatest, offset;
  bool mins;
  uint8_t sub_scales;
  bool wide;
} kind_facts;

#define ROW(kind, greatest, offset, mins, sub_scales, wide) [WT_KIND_##kind] = {greatest, offset, mins, sub_scales, wide},
static const kind_facts __attribute__((unused)) kinds[] = {WEIGHT_LINE_KINDS(ROW)};
#undef ROW

INLINE uint32_t kind_of(uint32_t type) { return wt_types[wt_types[type].base].kind; }
INLINE bool has_mins(uint32_t kind) { return kinds[kind].mins; }
INLINE bool has_sub_scales(uint32_t kind) { return kinds[kind].sub_scales != 0; }
INLINE bool has_integer_scales(uint32_t kind) { return kinds[kind].sub_scales == 1 || kinds[kind].sub_scales == 2; }
INLINE bool has_large_sums(uint32_t kind) { return kinds[kind].sub_scales == 2; }
INLINE bool has_float_scales(uint32_t kind) { return kinds[kind].sub_scales == 3; }
INLINE bool is_wide(uint32_t kind) { return kinds[kind].wide; }
INLINE int greatest(uint32_t kind) { return kinds[kind].greatest; }

#endif
