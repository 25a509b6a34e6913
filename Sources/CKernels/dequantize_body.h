// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Rows in layout `gguf` to floats, and the plain products made of it. Included by one file per instruction set.
//
// Every value is computed as ggml's reference does, product by product in single precision, so the floats are ggml's to the bit.
#include "CKernels.h"
#include "ops_v16.h"

V_INLINE v16c load_bytes(const uint8_t *p) { return *(const v16c_at *)p; }
V_INLINE v16 unsigned_floats(v16c bytes) { return __builtin_convertvector(bytes, v16); }
V_INLINE v16 signed_floats(v16c bytes) { return __builtin_convertvector((v16b)bytes, v16); }
V_INLINE uint16_t load_u16(const uint8_t *p) {
  uint16_t value;
  memcpy(&value, p, sizeof value);
  return value;
}
V_INLINE uint32_t load_u32(const uint8_t *p) {
  uint32_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

#include "dequantize_simple.h"
#include "dequantize_k.h"
#include "dequantize_grid.h"

// How a type's row is read: `row` turns `blocks` blocks of `elements` elements and `bytes` bytes into floats.
typedef struct {
  void (*row)(const uint8_t *row, int64_t blocks, float *out);
  int elements, bytes;
} dequantizer;

static const dequantizer dequantizers[CK_TYPE_COUNT] = {
    [CK_F32] = {f32_row, 1, 4},
    [CK_F16] = {f16_row, 1, 2},
    [CK_BF16] = {bf16_row, 1, 2},
    [CK_F64] = {f64_row, 1, 8},
    [CK_I8] = {i8_row, 1, 1},
    [CK_I16] = {i16_row, 1, 2},
    [CK_I32] = {i32_row, 1, 4},
    [CK_I64] = {i64_row, 1, 8},
    [CK_Q4_0] = {q4_0_row, 32, 18},
    [CK_Q4_1] = {q4_1_row, 32, 20},
    [CK_Q5_0] = {q5_0_row, 32, 22},
    [CK_Q5_1] = {q5_1_row, 32, 24},
    [CK_Q8_0] = {q8_0_row, 32, 34},
    [CK_IQ4_NL] = {iq4_nl_row, 32, 18},
    [CK_MXFP4] = {mxfp4_row, 32, 17},
    [CK_NVFP4] = {nvfp4_row, 64, 36},
    [CK_Q1_0] = {q1_0_row, 128, 18},
    [CK_Q2_0] = {q2_0_row, 64, 18},
    [CK_Q2_K] = {q2_k_row, 256, 84},
    [CK_Q3_K] = {q3_k_row, 256, 110},
    [CK_Q4_K] = {q4_k_row, 256, 144},
    [CK_Q5_K] = {q5_k_row, 256, 176},
    [CK_Q6_K] = {q6_k_row, 256, 210},
    [CK_IQ4_XS] = {iq4_xs_row, 256, 136},
    [CK_TQ1_0] = {tq1_0_row, 256, 54},
    [CK_TQ2_0] = {tq2_0_row, 256, 66},
    [CK_IQ1_S] = {iq1_s_row, 256, 50},
    [CK_IQ1_M] = {iq1_m_row, 256, 56},
    [CK_IQ2_XXS] = {iq2_xxs_row, 256, 66},
    [CK_IQ2_XS] = {iq2_xs_row, 256, 74},
    [CK_IQ2_S] = {iq2_s_row, 256, 82},
    [CK_IQ3_XXS] = {iq3_xxs_row, 256, 98},
    [CK_IQ3_S] = {iq3_s_row, 256, 110},
};

static void dequantize(uint32_t type, const void *row, int64_t k, float *out) {
  const dequantizer *d = &dequantizers[type];
  d->row(row, k / d->elements, out);
}
