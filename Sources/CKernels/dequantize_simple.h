// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Types without super-blocks: plain numbers, and blocks of 32 to 128 elements with one scale (part of dequantize_body.h).

static void f32_row(const uint8_t *row, int64_t n, float *out) { memcpy(out, row, (size_t)n * sizeof *out); }
static void f16_row(const uint8_t *row, int64_t n, float *out) { from_f16((const uint16_t *)(const void *)row, n, out); }

static void bf16_row(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits = (uint32_t)load_u16(row + 2 * i) << 16;
    memcpy(out + i, &bits, sizeof bits);
  }
}

static void f64_row(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) {
    double value;
    memcpy(&value, row + 8 * i, sizeof value);
    out[i] = (float)value;
  }
}

static void i8_row(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) out[i] = (float)(int8_t)row[i];
}

static void i16_row(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) out[i] = (float)(int16_t)load_u16(row + 2 * i);
}

static void i32_row(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) out[i] = (float)(int32_t)load_u32(row + 4 * i);
}

static void i64_row(const uint8_t *row, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) {
    int64_t value;
    memcpy(&value, row + 8 * i, sizeof value);
    out[i] = (float)value;
  }
}

// Bits 0 to 15 of `bits` as 16 lanes of 0 or 1.
V_INLINE v16i spread_bits(uint32_t bits) {
  const v16i position = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return ((v16i)((int32_t)bits) >> position) & 1;
}

// f16 d; 16 bytes: low nibbles are elements 0 to 15. d * (q - 8)
static void q4_0_row(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 18, out += 32) {
    float d = v_half(row);
    v16c q = load_bytes(row + 2);
    v_store(out, (unsigned_floats(q & 15) - 8.0f) * d);
    v_store(out + 16, (unsigned_floats(q >> 4) - 8.0f) * d);
  }
}

// f16 d, m; nibbles. d * q + m
static void q4_1_row(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 20, out += 32) {
    float d = v_half(row), m = v_half(row + 2);
    v16c q = load_bytes(row + 4);
    v_store(out, unsigned_floats(q & 15) * d + m);
    v_store(out + 16, unsigned_floats(q >> 4) * d + m);
  }
}

// f16 d; u32 of fifth bits; nibbles. d * (q - 16)
static void q5_0_row(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 22, out += 32) {
    float d = v_half(row);
    uint32_t high = load_u32(row + 2);
    v16c q = load_bytes(row + 6);
    v16i low = __builtin_convertvector(q & 15, v16i) | (spread_bits(high) << 4);
    v16i upper = __builtin_convertvector(q >> 4, v16i) | (spread_bits(high >> 16) << 4);
    v_store(out, __builtin_convertvector(low - 16, v16) * d);
    v_store(out + 16, __builtin_convertvector(upper - 16, v16) * d);
  }
}

// f16 d, m; u32 of fifth bits; nibbles. d * q + m
static void q5_1_row(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 24, out += 32) {
    float d = v_half(row), m = v_half(row + 2);
    uint32_t high = load_u32(row + 4);
    v16c q = load_bytes(row + 8);
    v16i low = __builtin_convertvector(q & 15, v16i) | (spread_bits(high) << 4);
    v16i upper = __builtin_convertvector(q >> 4, v16i) | (spread_bits(high >> 16) << 4);
    v_store(out, __builtin_convertvector(low, v16) * d + m);
    v_store(out + 16, __builtin_convertvector(upper, v16) * d + m);
  }
}

// f16 d; 32 signed bytes.
static void q8_0_row(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 34, out += 32) {
    float d = v_half(row);
    v_store(out, signed_floats(load_bytes(row + 2)) * d);
    v_store(out + 16, signed_floats(load_bytes(row + 18)) * d);
  }
}

// The values that the nibbles of IQ4_NL and IQ4_XS stand for.
static const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
// Twice the values of the E2M1 format: sign, two bits of exponent, one of mantissa.
static const int8_t e2m1_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// 16 bytes of nibbles through a table, the low ones to the first 16 floats.
V_INLINE void look_up_nibbles(const uint8_t *q, const int8_t *values, float d, float *out) {
  v16c nibbles = load_bytes(q);
  v_store(out, __builtin_convertvector(v_look_up(nibbles & 15, values), v16) * d);
  v_store(out + 16, __builtin_convertvector(v_look_up(nibbles >> 4, values), v16) * d);
}

// f16 d; nibbles.
static void iq4_nl_row(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 18, out += 32) look_up_nibbles(row + 2, iq4_values, v_half(row), out);
}

// Half of 2^(e - 127), for the doubled table; e of 0 and 1 gives subnormal numbers.
V_INLINE float e8m0_half(uint8_t e) {
  uint32_t bits = e < 2 ? 0x200000u << e : (uint32_t)(e - 1) << 23;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// u8 exponent; nibbles.
static void mxfp4_row(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 17, out += 32) look_up_nibbles(row + 1, e2m1_values, e8m0_half(row[0]), out);
}

// Half of an unsigned E4M3 number (bias 7; 0x7f stands for zero), for the doubled table.
V_INLINE float ue4m3_half(uint8_t x) {
  if (x == 0x7f) return 0;
  int exponent = x >> 3 & 15, mantissa = x & 7;
  if (exponent == 0) return (float)mantissa * 0x1p-10f;
  uint32_t bits = (uint32_t)(exponent + 119) << 23 | (uint32_t)mantissa << 20;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Four scales; four times 8 bytes of nibbles, 16 elements each.
static void nvfp4_row(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 36, out += 64) {
    for (int i = 0; i < 4; i += 2) {
      float low[16], high[16], a = ue4m3_half(row[i]), b = ue4m3_half(row[i + 1]);
      v16c nibbles = load_bytes(row + 4 + 8 * i);
      v16 scale = {a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b};
      v_store(low, __builtin_convertvector(v_look_up(nibbles & 15, e2m1_values), v16) * scale);
      v_store(high, __builtin_convertvector(v_look_up(nibbles >> 4, e2m1_values), v16) * scale);
      for (int j = 0; j < 2; j++) {
        memcpy(out + 16 * (i + j), low + 8 * j, 8 * sizeof *out);
        memcpy(out + 16 * (i + j) + 8, high + 8 * j, 8 * sizeof *out);
      }
    }
  }
}

// f16 d; 16 bytes of sign bits: a set bit is d, a clear one -d.
static void q1_0_row(const uint8_t *row, int64_t blocks, float *out) {
  for (; blocks > 0; blocks--, row += 18, out += 128) {
    float d = v_half(row);
    for (int i = 0; i < 8; i++) v_store(out + 16 * i, spread_bits(load_u16(row + 2 + 2 * i)) == 0 ? v_set(-d) : v_set(d));
  }
}

// f16 d; 16 bytes of four elements each, from the low bits upward. d * (q - 1)
static void q2_0_row(const uint8_t *row, int64_t blocks, float *out) {
  const v16i shift = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30};
  for (; blocks > 0; blocks--, row += 18, out += 64) {
    float d = v_half(row);
    for (int i = 0; i < 4; i++) {
      v16i q = ((v16i)((int32_t)load_u32(row + 2 + 4 * i)) >> shift) & 3;
      v_store(out + 16 * i, __builtin_convertvector(q - 1, v16) * d);
    }
  }
}
