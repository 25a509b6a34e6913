// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Where things lie in a row group of the 16-row layouts; the same numbers as PackFormat.InterleavedForm.
#ifndef CKERNELS_LAYOUT16_H
#define CKERNELS_LAYOUT16_H

#include <stdint.h>
#include <string.h>

#include "CKernels.h"

#define INLINE static inline __attribute__((always_inline, unused))

// A row group is a run of tiles of `tile_blocks` blocks (the last may hold fewer). In a tile come the heads of its blocks,
// zeros up to a multiple of 64 bytes, the bodies of its blocks, zeros again. Sizes are those of 16 rows of one block.
typedef struct {
  int32_t block_elements, tile_blocks, head_bytes, body_bytes;
} layout16;

INLINE layout16 layout16_of(uint32_t type) {
  switch (type) {
    case CK_Q4_0: case CK_IQ4_NL: return (layout16){32, 2, 16 * 2, 16 * 16};
    case CK_Q4_1: return (layout16){32, 1, 16 * 4, 16 * 16};
    case CK_Q5_0: return (layout16){32, 2, 16 * 2, 16 * 20};
    case CK_Q5_1: return (layout16){32, 1, 16 * 4, 16 * 20};
    case CK_Q8_0: return (layout16){32, 2, 16 * 2, 16 * 32};
    case CK_Q2_K: return (layout16){256, 1, 16 * 20, 16 * 64};
    case CK_Q3_K: return (layout16){256, 2, 16 * 14, 16 * 96};
    case CK_Q4_K: return (layout16){256, 1, 16 * 16, 16 * 128};
    case CK_Q5_K: return (layout16){256, 1, 16 * 16, 16 * 160};
    case CK_Q6_K: return (layout16){256, 2, 16 * 18, 16 * 192};
    case CK_IQ4_XS: return (layout16){256, 1, 16 * 8, 16 * 128};
    case CK_MXFP4: return (layout16){32, 4, 16 * 1, 16 * 16};
    case CK_F16: case CK_BF16: return (layout16){1, 2, 0, 16 * 2};
    default: return (layout16){1, 1, 0, 0};
  }
}

INLINE int64_t round_up_64(int64_t bytes) { return (bytes + 63) & ~(int64_t)63; }

INLINE int64_t layout16_tile_bytes(layout16 l, int64_t blocks) {
  return round_up_64(blocks * l.head_bytes) + round_up_64(blocks * l.body_bytes);
}

// Bytes of a row group of rows of k elements.
INLINE int64_t layout16_group_bytes(layout16 l, int64_t k) {
  const int64_t blocks = k / l.block_elements, rest = blocks % l.tile_blocks;
  return blocks / l.tile_blocks * layout16_tile_bytes(l, l.tile_blocks) + layout16_tile_bytes(l, rest);
}

// Head and body of 16 rows of one block.
typedef struct {
  const uint8_t *head, *body;
} block16;

INLINE block16 block16_at(layout16 l, const uint8_t *group, int64_t k, int64_t block) {
  const int64_t blocks = k / l.block_elements, tile = block / l.tile_blocks, within = block % l.tile_blocks;
  const int64_t left = blocks - tile * l.tile_blocks;
  const uint8_t *start = group + tile * layout16_tile_bytes(l, l.tile_blocks);
  const int64_t heads = round_up_64((left < l.tile_blocks ? left : l.tile_blocks) * l.head_bytes);
  return (block16){start + within * l.head_bytes, start + heads + within * l.body_bytes};
}

// IQ4_NL and IQ4_XS: what a 4-bit code stands for. MXFP4: twice what its E2M1 code stands for.
static const int8_t __attribute__((unused)) iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
static const int8_t __attribute__((unused)) mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

INLINE float float_of_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

INLINE float float_of_bf16(uint16_t h) { return float_of_bits((uint32_t)h << 16); }

// Moved into place, a half's exponent is too small by 112; multiplying adds that, for subnormal numbers too.
INLINE float float_of_f16(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, magnitude = (uint32_t)(h & 0x7fff) << 13;
  if (magnitude >= 0x7c00u << 13) return float_of_bits(sign | 0x7f800000 | magnitude);
  const float value = float_of_bits(magnitude) * 0x1p112f;
  return sign != 0 ? -value : value;
}

// Half of 2^(e - 127), since the values are doubled; the two smallest are subnormal.
INLINE float float_of_half_e8m0(uint8_t e) { return float_of_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23); }

#endif
