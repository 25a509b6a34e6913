// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Unpacking from the 16-row layouts to numbers, in plain C. `unpack_TYPE(block, s, r)` returns elements 32 s to 32 s + 31 of row r of a
// block.
#ifndef CKERNELS_UNPACK_PORTABLE_H
#define CKERNELS_UNPACK_PORTABLE_H

#include "../ground/grids.h"
#include "../ground/layout16.h"
#include "../ground/numbers.h"
#include "../ground/v16.h"

#pragma clang fp contract(off)

// A value is value[i] * scale * sub_scale[i / 16] + min[i / 16]; for kinds with float scales of 16 elements, value[i] * scale * factor[i /
// 16].
typedef struct {
  int16_t values[32];
  float scale;
  int32_t sub_scale[2];
  float factor[2];
  float min[2];
} row_block;

// Returns unit u of row r in a field that starts `at` bytes in (counted for one row).
static uint8_t byte_at(const uint8_t *field, int at, int u, int r) { return field[16 * at + 16 * u + r]; }

static float half_at(const uint8_t *field, int at, int r) { return v_half(field + 16 * at + 2 * r); }

// Returns byte i of row r in a field of four-byte units.
static uint8_t quant_at(const uint8_t *field, int at, int i, int r) { return field[16 * at + i / 4 * 64 + 4 * r + i % 4]; }

// Returns bit i of row r in a field of half-byte units.
static int bit_at(const uint8_t *field, int i, int r) {
  const uint8_t pair = field[i / 4 * 8 + r / 2];
  return pair >> (4 * (r % 2) + i % 4) & 1;
}

// Returns half byte i of 32: the low halves of 16 bytes come first, then the high ones.
static int nibble_at(const uint8_t *field, int at, int i, int r) { return quant_at(field, at, i % 16, r) >> (i / 16 * 4) & 15; }

// Returns the six-bit scale and min number j of Q4_K and Q5_K.
static void scale_and_min(const uint8_t *head, int j, int r, int *scale, int *min) {
  const int at = 4;
  if (j < 4) {
    *scale = byte_at(head, at, j, r) & 63;
    *min = byte_at(head, at, j + 4, r) & 63;
  } else {
    *scale = (byte_at(head, at, j + 4, r) & 15) | byte_at(head, at, j - 4, r) >> 6 << 4;
    *min = byte_at(head, at, j + 4, r) >> 4 | byte_at(head, at, j, r) >> 6 << 4;
  }
}

// Returns scale number j of Q3_K, -32 to 31: 16 times four low bits, then 16 times two high ones.
static int scale_q3(const uint8_t *head, int j, int r) {
  const int low = byte_at(head, 2, j % 8, r) >> (j / 8 * 4) & 15, high = byte_at(head, 2, 8 + j % 4, r) >> (j / 4 * 2) & 3;
  return (low | high << 4) - 32;
}

static int scale_iq4_xs(const uint8_t *head, int j, int r) {
  const int low = byte_at(head, 4, j / 2, r) >> (j % 2 * 4) & 15;
  const uint16_t high = load_u16(head + 16 * 2 + 2 * r);
  return (low | (high >> (2 * j) & 3) << 4) - 32;
}

// ---- types ----------------------------------------------------------------------------------------------------------

static row_block unpack_Q4_0(block16 block, int s, int r) {
  (void)s;
  row_block out = {.scale = half_at(block.head, 0, r), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) out.values[i] = (int16_t)(nibble_at(block.body, 0, i, r) - 8);
  return out;
}

static row_block unpack_Q4_1(block16 block, int s, int r) {
  (void)s;
  const float min = half_at(block.head, 2, r);
  row_block out = {.scale = half_at(block.head, 0, r), .sub_scale = {1, 1}, .min = {min, min}};
  for (int i = 0; i < 32; i++) out.values[i] = (int16_t)nibble_at(block.body, 0, i, r);
  return out;
}

static row_block unpack_Q5_0(block16 block, int s, int r) {
  (void)s;
  row_block out = {.scale = half_at(block.head, 0, r), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) {
    out.values[i] = (int16_t)((nibble_at(block.body, 4, i, r) | bit_at(block.body, i, r) << 4) - 16);
  }
  return out;
}

static row_block unpack_Q5_1(block16 block, int s, int r) {
  (void)s;
  const float min = half_at(block.head, 2, r);
  row_block out = {.scale = half_at(block.head, 0, r), .sub_scale = {1, 1}, .min = {min, min}};
  for (int i = 0; i < 32; i++) out.values[i] = (int16_t)(nibble_at(block.body, 4, i, r) | bit_at(block.body, i, r) << 4);
  return out;
}

static row_block unpack_Q8_0(block16 block, int s, int r) {
  (void)s;
  row_block out = {.scale = half_at(block.head, 0, r), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) out.values[i] = (int16_t)(quant_at(block.body, 0, i, r) - 128);
  return out;
}

static row_block unpack_Q2_K(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r)};
  for (int i = 0; i < 32; i++) out.values[i] = quant_at(block.body, 0, s / 4 * 32 + i, r) >> (s % 4 * 2) & 3;
  for (int h = 0; h < 2; h++) {
    const int both = byte_at(block.head, 4, 2 * s + h, r);
    out.sub_scale[h] = both & 15;
    out.min[h] = -(half_at(block.head, 2, r) * (float)(both >> 4));
  }
  return out;
}

static row_block unpack_Q3_K(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r)};
  for (int i = 0; i < 32; i++) {
    const int low = quant_at(block.body, 32, s / 4 * 32 + i, r) >> (s % 4 * 2) & 3, high = quant_at(block.body, 0, i, r) >> s & 1;
    out.values[i] = (int16_t)((low | high << 2) - 4);
  }
  for (int h = 0; h < 2; h++) out.sub_scale[h] = scale_q3(block.head, 2 * s + h, r);
  return out;
}

// Returns the scale and min of Q4_K and Q5_K, whose quants differ.
static row_block scales_of_k(block16 block, int s, int r) {
  int scale, min;
  scale_and_min(block.head, s, r, &scale, &min);
  const float product = -(half_at(block.head, 2, r) * (float)min);
  return (row_block){.scale = half_at(block.head, 0, r) * (float)scale, .sub_scale = {1, 1}, .min = {product, product}};
}

static row_block unpack_Q4_K(block16 block, int s, int r) {
  row_block out = scales_of_k(block, s, r);
  for (int i = 0; i < 32; i++) out.values[i] = quant_at(block.body, 0, s / 2 * 32 + i, r) >> (s % 2 * 4) & 15;
  return out;
}

static row_block unpack_Q5_K(block16 block, int s, int r) {
  row_block out = scales_of_k(block, s, r);
  for (int i = 0; i < 32; i++) {
    const int low = quant_at(block.body, 32, s / 2 * 32 + i, r) >> (s % 2 * 4) & 15, high = quant_at(block.body, 0, i, r) >> s & 1;
    out.values[i] = (int16_t)(low | high << 4);
  }
  return out;
}

static row_block unpack_Q6_K(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r)};
  for (int i = 0; i < 32; i++) {
    const int low = quant_at(block.body, 0, s / 4 * 64 + s % 2 * 32 + i, r) >> (s % 4 / 2 * 4) & 15;
    const int high = quant_at(block.body, 128, s / 4 * 32 + i, r) >> (s % 4 * 2) & 3;
    out.values[i] = (int16_t)((low | high << 4) - 32);
  }
  for (int h = 0; h < 2; h++) out.sub_scale[h] = (int8_t)byte_at(block.head, 2, 2 * s + h, r);
  return out;
}

static row_block unpack_IQ4_NL(block16 block, int s, int r) {
  (void)s;
  row_block out = {.scale = half_at(block.head, 0, r), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) out.values[i] = iq4_values[nibble_at(block.body, 0, i, r)];
  return out;
}

static row_block unpack_IQ4_XS(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r) * (float)scale_iq4_xs(block.head, s, r), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) out.values[i] = iq4_values[nibble_at(block.body, 16 * s, i, r)];
  return out;
}

static row_block unpack_MXFP4(block16 block, int s, int r) {
  (void)s;
  row_block out = {.scale = half_of_e8m0(byte_at(block.head, 0, 0, r)), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) out.values[i] = e2m1_values[nibble_at(block.body, 0, i, r)];
  return out;
}

static row_block unpack_NVFP4(block16 block, int s, int r) {
  row_block out = {.scale = 1};
  for (int h = 0; h < 2; h++) {
    out.factor[h] = half_of_ue4m3(byte_at(block.head, 0, 2 * s + h, r));
    for (int i = 0; i < 16; i++) {
      out.values[16 * h + i] = e2m1_values[quant_at(block.body, 0, (2 * s + h) * 8 + i % 8, r) >> (i / 8 * 4) & 15];
    }
  }
  return out;
}

static row_block unpack_Q1_0(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) out.values[i] = (int16_t)(2 * bit_at(block.body, 32 * s + i, r) - 1);
  return out;
}

static row_block unpack_Q2_0(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) out.values[i] = (int16_t)((quant_at(block.body, 0, 8 * s + i / 4, r) >> (i % 4 * 2) & 3) - 1);
  return out;
}

// The digits of 32 bytes are elements 0 to 159, those of 16 bytes the next 80, those of 4 bytes the last 16.
static row_block unpack_TQ1_0(block16 block, int s, int r) {
  static const uint8_t powers[5] = {1, 3, 9, 27, 81};
  row_block out = {.scale = half_at(block.head, 0, r), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) {
    const int e = 32 * s + i, start = e < 160 ? 0 : e < 240 ? 160 : 240, bytes = e < 160 ? 32 : e < 240 ? 16 : 4;
    const int byte = quant_at(block.body, 0, start / 5 + (e - start) % bytes, r);
    const uint8_t rest = (uint8_t)(byte * powers[(e - start) / bytes]);
    out.values[i] = (int16_t)((rest * 3 >> 8) - 1);
  }
  return out;
}

static row_block unpack_TQ2_0(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) out.values[i] = (int16_t)((quant_at(block.body, 0, s / 4 * 32 + i, r) >> (s % 4 * 2) & 3) - 1);
  return out;
}

// Sets a point of eight elements, number `first / 8` of the 32 elements.
static void set_eight(row_block *out, int first, int grid, int codes, int signs) {
  for (int e = 0; e < 8; e++) {
    const int value = grid_value(grid, codes >> (2 * e) & 3);
    out->values[first + e] = (int16_t)(signs >> e & 1 ? -value : value);
  }
}

// Sets a point of eight elements of IQ1, shifted by an eighth up or down.
static void set_shifted(row_block *out, int first, int codes, int down) {
  for (int e = 0; e < 8; e++) out->values[first + e] = (int16_t)(grid_value(grid_iq1, codes >> (2 * e) & 3) + (down ? -1 : 1));
}

// Sets a point of four elements.
static void set_four(row_block *out, int first, int grid, int codes, int signs) {
  for (int e = 0; e < 4; e++) {
    const int value = grid_value(grid, codes >> (4 * e) & 7);
    out->values[first + e] = (int16_t)(signs >> e & 1 ? -value : value);
  }
}

// Returns four bytes from byte i on, a multiple of four, of row r in a field of four-byte units.
static uint32_t word_at(const uint8_t *field, int at, int i, int r) { return load_u32(field + 16 * at + i / 4 * 64 + 4 * r); }

// Returns 16-bit unit u of row r in a field of two-byte units.
static int short_at(const uint8_t *field, int at, int u, int r) { return load_u16(field + 16 * at + 32 * u + 2 * r); }

static row_block unpack_IQ2_XXS(block16 block, int s, int r) {
  const uint32_t rest = word_at(block.body, 0, 8 * s + 4, r);
  row_block out = {.scale = half_at(block.head, 0, r) * (float)(2 * (rest >> 28) + 1) * 0.125f, .sub_scale = {1, 1}};
  for (int p = 0; p < 4; p++) {
    set_eight(&out, 8 * p, grid_iq2_xxs, ck_grid_iq2_xxs[quant_at(block.body, 0, 8 * s + p, r)], even_signs_of(rest >> (7 * p)));
  }
  return out;
}

static row_block unpack_IQ2_XS(block16 block, int s, int r) {
  const int scales = byte_at(block.head, 2, s, r);
  row_block out = {.scale = half_at(block.head, 0, r) * 0.125f, .sub_scale = {2 * (scales & 15) + 1, 2 * (scales >> 4) + 1}};
  for (int p = 0; p < 4; p++) {
    const uint32_t both = word_at(block.body, 0, 8 * s + p / 2 * 4, r) >> (p % 2 * 16);
    set_eight(&out, 8 * p, grid_iq2_xs, ck_grid_iq2_xs[both & 511], even_signs_of(both >> 9));
  }
  return out;
}

static row_block unpack_IQ2_S(block16 block, int s, int r) {
  const int scales = byte_at(block.head, 10, s, r), high = byte_at(block.head, 2, s, r);
  row_block out = {.scale = half_at(block.head, 0, r) * 0.125f, .sub_scale = {2 * (scales & 15) + 1, 2 * (scales >> 4) + 1}};
  for (int p = 0; p < 4; p++) {
    const int point = quant_at(block.body, 0, 4 * s + p, r) | (high >> (2 * p) & 3) << 8;
    set_eight(&out, 8 * p, grid_iq2_s, ck_grid_iq2_s[point], quant_at(block.body, 32, 4 * s + p, r));
  }
  return out;
}

static row_block unpack_IQ3_XXS(block16 block, int s, int r) {
  const uint32_t rest = word_at(block.body, 64, 4 * s, r);
  row_block out = {.scale = half_at(block.head, 0, r) * (float)(2 * (rest >> 28) + 1) * 0.25f, .sub_scale = {1, 1}};
  for (int p = 0; p < 8; p++) {
    const int signs = even_signs_of(rest >> (p / 2 * 7)) >> (p % 2 * 4);
    set_four(&out, 4 * p, grid_iq3_xxs, ck_grid_iq3_xxs[quant_at(block.body, 0, 8 * s + p, r)], signs);
  }
  return out;
}

static row_block unpack_IQ3_S(block16 block, int s, int r) {
  const int scale = byte_at(block.head, 10, s / 2, r) >> (s % 2 * 4) & 15, ninth = byte_at(block.head, 2, s, r);
  row_block out = {.scale = half_at(block.head, 0, r) * (float)(2 * scale + 1), .sub_scale = {1, 1}};
  for (int p = 0; p < 8; p++) {
    const int point = quant_at(block.body, 0, 8 * s + p, r) | (ninth >> p & 1) << 8;
    set_four(&out, 4 * p, grid_iq3_s, ck_grid_iq3_s[point], quant_at(block.body, 64, 4 * s + p / 2, r) >> (p % 2 * 4));
  }
  return out;
}

static row_block unpack_IQ1_S(block16 block, int s, int r) {
  const int high = short_at(block.head, 2, s, r);
  row_block out = {.scale = half_at(block.head, 0, r) * (float)(2 * (high >> 12 & 7) + 1) * 0.125f, .sub_scale = {1, 1}};
  for (int p = 0; p < 4; p++) {
    const int point = quant_at(block.body, 0, 4 * s + p, r) | (high >> (3 * p) & 7) << 8;
    set_shifted(&out, 8 * p, ck_grid_iq1[point], high >> 15);
  }
  return out;
}

static row_block unpack_IQ1_M(block16 block, int s, int r) {
  uint16_t half = 0;
  for (int i = 0; i < 4; i++) half |= (uint16_t)(short_at(block.head, 0, i, r) >> 12 << (4 * i));
  const int scales = short_at(block.head, 0, s / 2, r) >> (s % 2 * 6), high = short_at(block.body, 32, s, r);
  row_block out = {.scale = v_half((const uint8_t *)&half) * 0.125f, .sub_scale = {2 * (scales & 7) + 1, 2 * (scales >> 3 & 7) + 1}};
  for (int p = 0; p < 4; p++) {
    const int point = quant_at(block.body, 0, 4 * s + p, r) | (high >> (4 * p) & 7) << 8;
    set_shifted(&out, 8 * p, ck_grid_iq1[point], high >> (4 * p + 3) & 1);
  }
  return out;
}

#endif
