// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Single numbers: how bytes of a weight are read, and what its small formats of numbers stand for.
#ifndef CKERNELS_NUMBERS_H
#define CKERNELS_NUMBERS_H

#include <stdint.h>
#include <string.h>

#include "inline.h"

INLINE uint16_t load_u16(const uint8_t *p) {
  uint16_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

INLINE uint32_t load_u32(const uint8_t *p) {
  uint32_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

INLINE float float_of_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

INLINE float float_of_bf16(uint16_t h) { return float_of_bits((uint32_t)h << 16); }

// What the 4-bit codes of IQ4_NL and IQ4_XS stand for.
static const int8_t __attribute__((unused)) iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
// Twice what E2M1 codes (MXFP4, NVFP4) stand for: a sign, two bits of exponent, one of mantissa.
static const int8_t __attribute__((unused)) e2m1_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// Half of 2^(e - 127), for the doubled table; the two smallest are subnormal.
INLINE float half_of_e8m0(uint8_t e) { return float_of_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23); }

// Half of an unsigned E4M3 number (bias 7; 0x7f stands for zero), for the doubled table.
INLINE float half_of_ue4m3(uint8_t x) {
  if (x == 0x7f) return 0;
  const int exponent = x >> 3 & 15, mantissa = x & 7;
  if (exponent == 0) return (float)mantissa * 0x1p-10f;
  return float_of_bits((uint32_t)(exponent + 119) << 23 | (uint32_t)mantissa << 20);
}

#endif
