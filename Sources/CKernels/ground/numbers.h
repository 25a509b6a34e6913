// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Single numbers: reading bytes of a weight, and the values of its small number formats.
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

// The values of the 4-bit codes of IQ4_NL and IQ4_XS.
static const int8_t __attribute__((unused)) iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
// Twice the values of E2M1 codes (MXFP4, NVFP4): a sign, two bits of exponent, one of mantissa.
static const int8_t __attribute__((unused)) e2m1_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// The values of the quants of ik_llama.cpp's types. Two tables are followed by their shifted values; the values of four bits are
// iq4_values.
static const int8_t __attribute__((unused)) ik_values_2[16] = {-31, -13, 1, 17, -26, -8, 6, 22};
static const int8_t __attribute__((unused)) ik_values_3[16] = {
  -63, -40, -23, -10, 1, 13, 28, 47, -59, -36, -19, -6, 5, 17, 32, 51,
};
static const int8_t __attribute__((unused)) ik_values_5[32] = {
  -126, -114, -103, -92, -83, -74, -65, -57, -50, -43, -36, -30, -24, -18, -12, -6,
  -1, 5, 11, 17, 23, 29, 36, 43, 51, 59, 68, 77, 87, 97, 109, 121,
};
static const int8_t __attribute__((unused)) ik_values_6[64] = {
  -127, -121, -115, -109, -104, -98, -93, -88, -84, -79, -74, -70, -66, -62, -58, -54,
  -51, -47, -44, -40, -37, -34, -31, -28, -25, -22, -19, -16, -13, -11, -8, -5,
  -2, 0, 3, 6, 9, 12, 14, 17, 20, 23, 27, 30, 33, 36, 40, 44,
  47, 51, 55, 59, 63, 68, 72, 77, 82, 87, 92, 98, 103, 109, 115, 121,
};
// The factor for the scale of a row in products of two types.
#define ik_factor_IQ2_KT 1.05f
#define ik_factor_IQ3_KT 1.01f
// The shifts of the other tables.
enum { ik_shift_4 = 4, ik_shift_5 = 2, ik_shift_6 = 1 };
// The first and second elements of the pairs of IQ2_KL.
static const int8_t __attribute__((unused)) ik_pairs_first[32] = {
  -63, -63, -40, -40, -40, -40, -23, -23, -23, -23, -23, -10, -10, -10, -10, 1,
  1, 1, 1, 1, 13, 13, 13, 13, 13, 28, 28, 28, 28, 28, 47, 47,
};
static const int8_t __attribute__((unused)) ik_pairs_second[32] = {
  -23, 13, -63, -10, 13, 47, -40, -23, 1, 13, 28, -63, 1, 13, 47, -23,
  -10, 1, 13, 28, -40, -23, -10, 1, 13, -63, -23, 1, 28, 47, -23, 13,
};

// Returns half of 2^(e - 127), because the table is doubled; the two smallest results are subnormal.
INLINE float half_of_e8m0(uint8_t e) { return float_of_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23); }

// Returns half of an unsigned E4M3 number (bias 7; 0x7f stands for zero), because the table is doubled.
INLINE float half_of_ue4m3(uint8_t x) {
  if (x == 0x7f) return 0;
  const int exponent = x >> 3 & 15, mantissa = x & 7;
  if (exponent == 0) return (float)mantissa * 0x1p-10f;
  return float_of_bits((uint32_t)(exponent + 119) << 23 | (uint32_t)mantissa << 20);
}

#endif
