// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Elements 32 s to 32 s + 31 of row r of a block of ik_llama.cpp's types: see unpack_portable.h.
#ifndef CKERNELS_UNPACK_PORTABLE_IK_H
#define CKERNELS_UNPACK_PORTABLE_IK_H

#include <math.h>

#include "unpack_portable.h"

// Return two bits of element i; one bit of it; its nibble, for runs of 16 and for runs of 32 elements.
static int two_bits_at(const uint8_t *field, int at, int s, int i, int r) { return quant_at(field, at, s / 4 * 32 + i, r) >> (s % 4 * 2) & 3; }
static int one_bit_at(const uint8_t *field, int at, int s, int i, int r) { return quant_at(field, at, i, r) >> s & 1; }
static int nibble_by_32(const uint8_t *field, int at, int s, int i, int r) {
  return quant_at(field, at, s / 2 * 32 + i, r) >> (s % 2 * 4) & 15;
}

// Returns the scale in the header of a row.
static float row_half(block16 block, int r) { return v_half(block.rows + 2 * r); }
static float row_float(block16 block, int r) { return float_of_bits(load_u32(block.rows + 4 * r)); }

static int six_bit_scale(const uint8_t *head, int j, int r) {
  const int low = byte_at(head, 8, j / 2, r) >> (j % 2 * 4) & 15, high = byte_at(head, 4, j / 4, r) >> (j % 4 * 2) & 3;
  return (low | high << 4) - 32;
}

static row_block unpack_Q6_0(block16 block, int s, int r) {
  (void)s;
  row_block out = {.scale = half_at(block.head, 0, r), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) {
    const int high = quant_at(block.body, 0, i % 8, r) >> (i / 8 % 2 * 4 + i / 16 * 2) & 3;
    out.values[i] = (int16_t)((nibble_at(block.body, 8, i, r) | high << 4) - 32);
  }
  return out;
}

static row_block unpack_IQ2_K(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r)};
  const int extra = short_at(block.head, 2, 0, r) >> (2 * s), scales = byte_at(block.head, 4, s, r);
  for (int i = 0; i < 32; i++) out.values[i] = ik_values_2[two_bits_at(block.body, 0, s, i, r) | (extra >> (i / 16) & 1) << 2];
  for (int h = 0; h < 2; h++) out.sub_scale[h] = (scales >> (4 * h) & 15) - 8;
  return out;
}

static row_block unpack_IQ3_K(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r)};
  const int extra = short_at(block.head, 2, 0, r) >> (2 * s), signs = short_at(block.head, 4, 0, r) >> (2 * s);
  for (int i = 0; i < 32; i++) {
    const int index = two_bits_at(block.body, 0, s, i, r) | one_bit_at(block.body, 64, s, i, r) << 2;
    out.values[i] = ik_values_3[index | (extra >> (i / 16) & 1) << 3];
  }
  for (int h = 0; h < 2; h++) {
    const int scale = 2 * (byte_at(block.head, 6, s, r) >> (4 * h) & 15) + 1;
    out.sub_scale[h] = signs >> h & 1 ? -scale : scale;
  }
  return out;
}

static row_block unpack_IQ4_K(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r)};
  const int extra = short_at(block.head, 2, 0, r) >> (2 * s);
  for (int i = 0; i < 32; i++) {
    out.values[i] = (int16_t)(iq4_values[nibble_at(block.body, 16 * s, i, r)] + (extra >> (i / 16) & 1) * ik_shift_4);
  }
  for (int h = 0; h < 2; h++) out.sub_scale[h] = six_bit_scale(block.head, 2 * s + h, r);
  return out;
}

static row_block unpack_IQ5_K(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r)};
  const int extra = short_at(block.head, 2, 0, r) >> (2 * s);
  for (int i = 0; i < 32; i++) {
    const int index = nibble_by_32(block.body, 0, s, i, r) | one_bit_at(block.body, 128, s, i, r) << 4;
    out.values[i] = (int16_t)(ik_values_5[index] + (extra >> (i / 16) & 1) * ik_shift_5);
  }
  for (int h = 0; h < 2; h++) out.sub_scale[h] = six_bit_scale(block.head, 2 * s + h, r);
  return out;
}

static int quant_of_IQ6_K(block16 block, int s, int i, int r) {
  const int high = quant_at(block.body, 128, s / 4 * 32 + i, r) >> (s % 4 * 2) & 3;
  return nibble_by_32(block.body, 0, s, i, r) | high << 4;
}

static row_block unpack_IQ6_K(block16 block, int s, int r) {
  row_block out = {.scale = half_at(block.head, 0, r)};
  const int extra = short_at(block.head, 2, 0, r) >> (2 * s);
  for (int i = 0; i < 32; i++) {
    out.values[i] = (int16_t)(ik_values_6[quant_of_IQ6_K(block, s, i, r)] + (extra >> (i / 16) & 1) * ik_shift_6);
  }
  for (int h = 0; h < 2; h++) out.sub_scale[h] = (int8_t)byte_at(block.head, 4, 2 * s + h, r);
  return out;
}

// Returns the value that element i of the 32 is read as: the reference evaluates a polynomial, where products use its rounded values.
static float read_IQ6_K(block16 block, int s, int i, int r) {
  const float q = (float)quant_of_IQ6_K(block, s, i, r);
  const float cubic = fmaf(q, fmaf(q, fmaf(q, 0.0011972f, -0.11218f), 6.2568f), -127);
  const float scale = half_at(block.head, 0, r) * (float)(int8_t)byte_at(block.head, 4, 2 * s + i / 16, r);
  return (short_at(block.head, 2, 0, r) >> (2 * s + i / 16) & 1 ? cubic + 1.0f : cubic) * scale;
}

// Returns a row whose scale has a lowest bit that chooses.
static row_block scaled_by_byte(block16 block, int r, int x) {
  return (row_block){.scale = row_float(block, r) * (float)((x & 254) - 127), .sub_scale = {1, 1}};
}

static row_block unpack_IQ4_KS(block16 block, int s, int r) {
  const int x = byte_at(block.head, 0, s, r);
  row_block out = scaled_by_byte(block, r, x);
  for (int i = 0; i < 32; i++) out.values[i] = (int16_t)(iq4_values[nibble_at(block.body, 16 * s, i, r)] + (x & 1) * ik_shift_4);
  return out;
}

static row_block unpack_IQ5_KS(block16 block, int s, int r) {
  const int x = byte_at(block.head, 0, s, r);
  row_block out = scaled_by_byte(block, r, x);
  for (int i = 0; i < 32; i++) {
    const int index = nibble_by_32(block.body, 0, s, i, r) | one_bit_at(block.body, 128, s, i, r) << 4;
    out.values[i] = (int16_t)(ik_values_5[index] + (x & 1) * ik_shift_5);
  }
  return out;
}

static row_block unpack_IQ4_KSS(block16 block, int s, int r) {
  int x = 0, quants[16];
  for (int i = 0; i < 8; i++) {
    const int word = quant_at(block.body, 0, 16 * s + 2 * i, r) | quant_at(block.body, 0, 16 * s + 2 * i + 1, r) << 8;
    const int bits = (word & 0xfffe) ^ (word & 0xfffe) >> 1;
    x |= (word & 1) << i;
    quants[2 * i] = bits & 255;
    quants[2 * i + 1] = bits >> 8;
  }
  row_block out = scaled_by_byte(block, r, x);
  for (int i = 0; i < 32; i++) {
    out.values[i] = (int16_t)(iq4_values[quants[i % 16] >> (i / 16 * 4) & 15] + (x & 1) * ik_shift_4);
  }
  return out;
}

static row_block unpack_IQ2_KS(block16 block, int s, int r) {
  const int extra = short_at(block.head, 0, 0, r), nibble = byte_at(block.head, 2, s / 2, r) >> (s % 2 * 4) & 15;
  row_block out = {.scale = row_half(block, r) * (float)((nibble | (extra >> (8 + s) & 1) << 4) - 16), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) out.values[i] = ik_values_2[two_bits_at(block.body, 0, s, i, r) | (extra >> s & 1) << 2];
  return out;
}

static row_block unpack_IQ3_KS(block16 block, int s, int r) {
  const int extra = short_at(block.head, 0, 0, r), nibble = byte_at(block.head, 2, s % 4, r) >> (s / 4 * 4) & 15;
  row_block out = {.scale = row_half(block, r) * (float)((nibble | (extra >> s & 1) << 4) - 16), .sub_scale = {1, 1}};
  for (int i = 0; i < 32; i++) {
    const int index = two_bits_at(block.body, 0, s, i, r) | one_bit_at(block.body, 64, s, i, r) << 2;
    out.values[i] = ik_values_3[index | (extra >> (8 + s) & 1) << 3];
  }
  return out;
}

static row_block unpack_IQ2_KL(block16 block, int s, int r) {
  const int high = short_at(block.head, 0, 0, r) >> (2 * s) & 3, low = byte_at(block.head, 2, s % 4, r) >> (s / 4 * 4) & 15;
  row_block out = {.scale = row_half(block, r) * (float)((low | high << 4) - 32), .sub_scale = {1, 1}};
  for (int p = 0; p < 16; p++) {
    const int index = (quant_at(block.body, 0, s / 2 * 16 + p, r) >> (s % 2 * 4) & 15) | one_bit_at(block.body, 64, s, p, r) << 4;
    out.values[2 * p] = ik_pairs_first[index];
    out.values[2 * p + 1] = ik_pairs_second[index];
  }
  return out;
}

#endif
