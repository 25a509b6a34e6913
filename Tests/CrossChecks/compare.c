// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Compares every table of kernels that this CPU can run with the portable one, bit for bit: the 16-row products, the quantisation of
// activations and, in operations.c, everything else. It is a program in plain C, so that it runs where Swift's tests cannot:
// cross-compiled, under an emulator (scripts/check-neon).
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"
#include "operations.h"

static const struct {
  uint32_t type;
  const char *name;
  int block, block_bytes, extra;  // extra: the most bytes of padding of 16 rows in a tile
} types[] = {
  {WT_Q4_0, "Q4_0", 32, 18, 128},   {WT_Q4_1, "Q4_1", 32, 20, 128},   {WT_Q5_0, "Q5_0", 32, 22, 128},
  {WT_Q5_1, "Q5_1", 32, 24, 128},   {WT_Q8_0, "Q8_0", 32, 34, 128},   {WT_Q2_K, "Q2_K", 256, 84, 128},
  {WT_Q3_K, "Q3_K", 256, 110, 128}, {WT_Q4_K, "Q4_K", 256, 144, 128}, {WT_Q5_K, "Q5_K", 256, 176, 128},
  {WT_Q6_K, "Q6_K", 256, 210, 128}, {WT_IQ4_NL, "IQ4_NL", 32, 18, 128}, {WT_IQ4_XS, "IQ4_XS", 256, 136, 128},
  {WT_MXFP4, "MXFP4", 32, 17, 128}, {WT_F16, "F16", 1, 2, 128},       {WT_BF16, "BF16", 1, 2, 128},
  {WT_IQ1_S, "IQ1_S", 256, 50, 128}, {WT_IQ1_M, "IQ1_M", 256, 56, 128}, {WT_IQ2_XXS, "IQ2_XXS", 256, 66, 128},
  {WT_IQ2_XS, "IQ2_XS", 256, 74, 128}, {WT_IQ2_S, "IQ2_S", 256, 82, 128}, {WT_IQ3_XXS, "IQ3_XXS", 256, 98, 128},
  {WT_IQ3_S, "IQ3_S", 256, 110, 128}, {WT_Q6_0, "Q6_0", 32, 26, 128},     {WT_IQ2_K, "IQ2_K", 256, 76, 128},
  {WT_IQ3_K, "IQ3_K", 256, 110, 128}, {WT_IQ4_K, "IQ4_K", 256, 144, 128}, {WT_IQ5_K, "IQ5_K", 256, 176, 128},
  {WT_IQ2_KS, "IQ2_KS", 256, 70, 128}, {WT_IQ3_KS, "IQ3_KS", 256, 102, 128}, {WT_IQ4_KS, "IQ4_KS", 256, 136, 128},
  {WT_IQ5_KS, "IQ5_KS", 256, 168, 128}, {WT_IQ4_KSS, "IQ4_KSS", 256, 128, 128}, {WT_IQ2_KL, "IQ2_KL", 256, 86, 128},
  {WT_IQ6_K, "IQ6_K", 256, 212, 128},
  {WT_IQ1_KT, "IQ1_KT", 256, 56, 128}, {WT_IQ2_KT, "IQ2_KT", 256, 68, 128}, {WT_IQ3_KT, "IQ3_KT", 256, 100, 128},
  {WT_IQ4_KT, "IQ4_KT", 256, 128, 128}, {WT_TQ1_0, "TQ1_0", 256, 54, 128}, {WT_TQ2_0, "TQ2_0", 256, 66, 128},
  {WT_NVFP4, "NVFP4", 64, 36, 128}, {WT_Q1_0, "Q1_0", 128, 18, 128}, {WT_Q2_0, "Q2_0", 64, 18, 128}, {WT_Q8_0_R8, "Q8_0_R8", 32, 34, 128}, {WT_IQ4_KS_R4, "IQ4_KS_R4", 256, 136, 128},
};

static uint64_t state = 88172645463325252u;

static uint64_t random_bits(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state * 0x2545F4914F6CDD1D;
}

enum { most_columns = 33, most_k = 1280, groups = 3 };

static int8_t quants[most_columns * most_k] __attribute__((aligned(64)));
static float x[most_columns * most_k], scales[most_columns * most_k / 32];
static int16_t sums[most_columns * most_k / 16];

static int failures;

static void fail(const char *what, const char *table, const char *type, int k, int columns) {
  printf("%s: %s differs from portable (%s, rows of %d, %d columns)\n", table, what, type, k, columns);
  failures++;
}

// Returns whether two runs of numbers have the same bits; all NaNs count as equal.
static int same(const float *a, const float *b, int count) {
  for (int i = 0; i < count; i++) {
    if (memcmp(&a[i], &b[i], 4) != 0 && !(a[i] != a[i] && b[i] != b[i])) return 0;
  }
  return 1;
}

static void fill_columns(const ck_table *table, int k, int extreme) {
  for (int i = 0; i < most_columns * k; i++) x[i] = (float)(int64_t)(random_bits() >> 40) * 0x1p-23f - 1;
  for (int c = 0; c < most_columns; c++) table->quantize(x + c * k, k, quants + c * k, scales + c * k / 32, sums + c * k / 16);
  if (!extreme) return;
  for (int i = 0; i < most_columns * k; i++) quants[i] = i / k % 2 == 0 ? 127 : -127;
  for (int i = 0; i < most_columns * k / 16; i++) sums[i] = i / (k / 16) % 2 == 0 ? 127 * 16 : -127 * 16;
}

static void compare_products(const ck_table *table, const ck_table *portable, int t, int k, int unbounded) {
  static float expected[most_columns * groups * 16], found[most_columns * groups * 16];
  const int blocks = k / types[t].block;
  const size_t bytes = (size_t)groups * ((size_t)blocks * 16 * (size_t)(types[t].block_bytes + types[t].extra) + 4096);
  uint8_t *weights = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (weights == NULL) exit(1);
  for (size_t i = 0; i < bytes; i++) weights[i] = (uint8_t)(random_bits() >> 32);
  // The upper bytes of halves, with the highest exponent bit cleared, make numbers below 2.
  for (size_t i = 1; i < bytes && !unbounded; i += 2) weights[i] &= 0xbf;

  const int counts[] = {1, 2, 3, 4, 5, 8, 9, 17, most_columns};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    ck_matmul m = {.type = types[t].type, .weights = weights, .k = k, .row_end = groups * 16, .columns = counts[i],
                   .q8 = {quants, scales, sums}, .x = x, .x_stride = k, .output_stride = groups * 16};
    m.output = expected;
    portable->matmul16[m.type](&m);
    m.output = found;
    table->matmul16[m.type](&m);
    if (!same(expected, found, counts[i] * groups * 16)) fail("a product", table->name, types[t].name, k, counts[i]);
  }
  free(weights);
}

static void compare_quantize(const ck_table *table, const ck_table *portable) {
  enum { k = 256 };
  static int8_t quants2[k];
  static float scales2[k / 32];
  static int16_t sums2[k / 16];
  for (int round = 0; round < 200; round++) {
    for (int i = 0; i < k; i++) {
      uint32_t bits = (uint32_t)(random_bits() >> 32);
      if (round % 2 == 0) bits = (bits & 0x80ffffff) | 0x3c000000;
      memcpy(&x[i], &bits, 4);
    }
    portable->quantize(x, k, quants, scales, sums);
    table->quantize(x, k, quants2, scales2, sums2);
    if (memcmp(quants, quants2, k) != 0 || !same(scales, scales2, k / 32) || memcmp(sums, sums2, sizeof sums2) != 0)
      fail("quantize", table->name, "activations", k, 1);
  }
}

int main(void) {
  const ck_table *portable = ck_select("portable");
  const int lengths[] = {32, 64, 96, 256, 288, 512, 640, most_k};
  int compared = 0;
  for (const char *const *name = ck_available(); *name != NULL; name++) {
    const ck_table *table = ck_select(*name);
    if (table == portable) continue;
    compared++;
    compare_quantize(table, portable);
    failures += compare_operations(table, portable);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
      for (int kind = 0; kind < 4; kind++) {
        fill_columns(portable, lengths[i], kind % 2);
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
          if (lengths[i] % types[t].block == 0) compare_products(table, portable, (int)t, lengths[i], kind / 2);
        }
      }
    }
    printf("%s: compared with portable\n", *name);
  }
  if (compared == 0) printf("this CPU runs nothing but portable kernels\n");
  printf(failures == 0 ? "all equal\n" : "%d differences\n", failures);
  return failures != 0 || compared == 0;
}
