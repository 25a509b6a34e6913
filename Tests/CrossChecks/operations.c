// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Compares the operations of a layer, dequantisation, plain products and attention of one table with another's; see compare.c.
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { n = 777, dim = 64, positions = 250, queries = 7, many_queries = 21, row = 1280, columns = 5, rows = 7 };

static const struct {
  int type, block, bytes;
} types[] = {
  {WT_F32, 1, 4},         {WT_F16, 1, 2},          {WT_BF16, 1, 2},         {WT_F64, 1, 8},         {WT_I8, 1, 1},
  {WT_I16, 1, 2},         {WT_I32, 1, 4},          {WT_I64, 1, 8},          {WT_Q4_0, 32, 18},      {WT_Q4_1, 32, 20},
  {WT_Q5_0, 32, 22},      {WT_Q5_1, 32, 24},       {WT_Q8_0, 32, 34},       {WT_Q2_K, 256, 84},     {WT_Q3_K, 256, 110},
  {WT_Q4_K, 256, 144},    {WT_Q5_K, 256, 176},     {WT_Q6_K, 256, 210},     {WT_IQ1_S, 256, 50},    {WT_IQ1_M, 256, 56},
  {WT_IQ2_XXS, 256, 66},  {WT_IQ2_XS, 256, 74},    {WT_IQ2_S, 256, 82},     {WT_IQ3_XXS, 256, 98},  {WT_IQ3_S, 256, 110},
  {WT_IQ4_NL, 32, 18},    {WT_IQ4_XS, 256, 136},   {WT_TQ1_0, 256, 54},     {WT_TQ2_0, 256, 66},    {WT_MXFP4, 32, 17},
  {WT_NVFP4, 64, 36},     {WT_Q1_0, 128, 18},      {WT_Q2_0, 64, 18},      {WT_Q6_0, 32, 26},      {WT_IQ2_K, 256, 76},
  {WT_IQ3_K, 256, 110},   {WT_IQ4_K, 256, 144},    {WT_IQ5_K, 256, 176},   {WT_IQ6_K, 256, 212},   {WT_IQ2_KS, 256, 70},
  {WT_IQ3_KS, 256, 102},  {WT_IQ4_KS, 256, 136},   {WT_IQ5_KS, 256, 168},  {WT_IQ4_KSS, 256, 128}, {WT_IQ2_KL, 256, 86},
  {WT_IQ1_KT, 256, 56},   {WT_IQ2_KT, 256, 68},    {WT_IQ3_KT, 256, 100},  {WT_IQ4_KT, 256, 128},  {WT_IQ4_K_R4, 256, 144},
  {WT_IQ5_KS_R4, 256, 168}, {WT_Q8_0_R8, 32, 34},  {WT_IQ3_K_R4, 256, 110},
};

// The inputs of all operations, made once.
static float a[n], b[n], x[columns * row];
static uint16_t halves[n];
static uint8_t weights[rows * row * 8];

static void fill_inputs(void) {
  srand(1);
  for (int i = 0; i < n; i++) {
    a[i] = (float)(rand() % 4001 - 2000) / 97;
    b[i] = (float)(rand() % 4001 - 2000) / 97;
    halves[i] = (uint16_t)rand();
  }
  a[3] = 1e30f, a[5] = -1e30f, a[9] = 0x1p-149f, a[11] = -0.0f;
  for (int i = 0; i < columns * row; i++) x[i] = (float)(rand() % 4001 - 2000) / 2000;
  for (size_t i = 0; i < sizeof weights; i++) weights[i] = (uint8_t)(rand() >> 8);
}

// The results of a table for these inputs, one operation after another.
typedef struct {
  float floats[24][2 * n];
  uint16_t halves[n];
  float dequantized[sizeof types / sizeof *types][row];
  float products[sizeof types / sizeof *types][rows * columns];
  float attention[2][queries * dim], latent[many_queries * dim];
} results;

static void run_operations(const ck_table *t, results *r) {
  int i = 0;
  t->rms_norm(a + 16, b, 1e-6f, n - 16, r->floats[i++]);
  t->add(a, b, n, r->floats[i++]);
  t->add_scaled(a, b, 0.3f, n, r->floats[i++]);
  t->scale(a, 0.3f, n, r->floats[i++]);
  t->silu_multiply(a, b, n, r->floats[i++]);
  t->gelu_multiply(a, b, n, r->floats[i++]);
  t->swiglu_clamped(a, b, 1.702f, 7, n, r->floats[i++]);
  t->from_f16(halves, n, r->floats[i++]);
  memcpy(r->floats[i], b, sizeof b);
  t->softmax(r->floats[i++], n);
  memcpy(r->floats[i], b, sizeof b);
  t->rope_halves(r->floats[i++], a + 16, b, 500);
  memcpy(r->floats[i], b, sizeof b);
  t->rope_adjacent(r->floats[i++], a + 16, b, 500);
  t->to_f16(a, n, r->halves);
}

static void run_weights(const ck_table *t, results *r) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    t->dequantize((uint32_t)types[i].type, weights, 0, row, r->dequantized[i]);
    ck_matmul m = {.type = (uint32_t)types[i].type, .weights = weights, .k = row, .row_end = rows, .columns = columns,
                   .x = x, .x_stride = row, .output = r->products[i], .output_stride = rows};
    t->matmul_plain[types[i].type](&m);
  }
}

static void run_attention(const ck_table *t, results *r) {
  static uint16_t keys[(positions + 15) / 16 * 16 * dim], values[positions * dim];
  static uint8_t q8_keys[(positions + 15) / 16 * (dim / 32 * 544)], q8_values[positions * (dim / 32 * 34)];
  for (int p = 0; p < positions; p++) {
    t->store_key(x + p * 16, dim, p, keys);
    t->to_f16(x + p * 20, dim, values + p * dim);
    t->store_key_q8(x + p * 16, dim, p, q8_keys);
    t->store_value_q8(x + p * 20, dim, q8_values + p * (dim / 32 * 34));
  }
  static const int32_t begin[queries] = {0, 0, 3, 4, 60, 70, 100}, end[queries] = {250, 249, 240, 100, 100, 150, 130};
  ck_attention attention = {.queries = x, .query_stride = dim, .query_count = queries, .begin = begin, .end = end,
                            .keys = keys, .values = values, .key_dim = dim, .value_dim = dim,
                            .scale = 0.5f, .softcap = 3, .sinks = x, .output = r->attention[0], .output_stride = dim};
  t->attention(&attention);
  // Full lanes and half of them; values that do not fill a vector.
  static float room[32 * 3 * dim], latents[(positions + 15) / 16 * 16 * dim];
  for (int p = 0; p < positions; p++) t->store_latent(x + p * 16, dim, p, latents);
  static int32_t many_begin[many_queries], many_end[many_queries];
  for (int q = 0; q < many_queries; q++) many_begin[q] = begin[q % queries], many_end[q] = end[q % queries];
  ck_attention latent = {.queries = x, .query_stride = 16, .query_count = many_queries, .begin = many_begin, .end = many_end,
                         .latents = latents, .key_dim = dim, .value_dim = dim - 19, .scale = 0.5f, .softcap = 3, .sinks = x,
                         .output = r->latent, .output_stride = dim, .room = room};
  t->attention(&latent);
  attention.q8_keys = q8_keys;
  attention.q8_values = q8_values;
  attention.output = r->attention[1];
  t->attention(&attention);
}

// Returns the number of elements whose bits differ; all NaNs count as equal.
static int differences(const char *what, const char *table, const float *found, const float *expected, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (memcmp(&found[i], &expected[i], sizeof *found) == 0 || (found[i] != found[i] && expected[i] != expected[i])) continue;
    printf("%s: %s differs from portable at %zu: %a, not %a\n", table, what, i, found[i], expected[i]);
    return 1;
  }
  return 0;
}

int compare_operations(const ck_table *table, const ck_table *portable) {
  static results found, expected;
  fill_inputs();
  const ck_table *tables[2] = {table, portable};
  results *both[2] = {&found, &expected};
  for (int i = 0; i < 2; i++) {
    run_operations(tables[i], both[i]);
    run_weights(tables[i], both[i]);
    run_attention(tables[i], both[i]);
  }
  int failures = memcmp(found.halves, expected.halves, sizeof found.halves) != 0;
#define COMPARE(field) \
  differences(#field, table->name, (const float *)found.field, (const float *)expected.field, sizeof found.field / sizeof(float))
  failures += COMPARE(floats) + COMPARE(dequantized) + COMPARE(products) + COMPARE(attention) + COMPARE(latent);
  return failures;
}
