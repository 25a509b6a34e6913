// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "CLinuxMultiplying.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>
#endif

typedef struct {
  const char *name;
  // The multiply-adds of a round.
  int64_t each;
  uint64_t (*run)(int64_t);
  bool (*works)(void);
} multiplying;

// Independent chains of additions; more than the latency of any unit in instructions.
enum { CHAINS = 12 };

// Hides the value, so that the compiler cannot see that every round does the same.
#define HIDE(value, constraint) __asm__ volatile("" : "+" constraint(value))

#define LOOP(NAME, ATTRIBUTES, V, CONSTRAINT, START, STEP)                                   \
  ATTRIBUTES static uint64_t NAME(int64_t rounds) {                                          \
    V sums[CHAINS], a, b;                                                                    \
    memset(&a, 1, sizeof a);                                                                 \
    memset(&b, 1, sizeof b);                                                                 \
    START;                                                                                   \
    for (int i = 0; i < CHAINS; i++) memset(sums + i, i, sizeof *sums);                      \
    for (int64_t round = 0; round < rounds; round++) {                                       \
      HIDE(a, CONSTRAINT);                                                                   \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) STEP;              \
    }                                                                                        \
    uint64_t sum = 0, part;                                                                  \
    for (int i = 0; i < CHAINS; i++) {                                                       \
      memcpy(&part, sums + i, sizeof part);                                                  \
      sum += part;                                                                           \
    }                                                                                        \
    return sum;                                                                              \
  }

#if defined(__x86_64__)
LOOP(dot_512, __attribute__((target("avx512f,avx512bw,avx512vnni"))), __m512i, "v", (void)0, sums[i] = _mm512_dpbusd_epi32(sums[i], a, b))
LOOP(dot_256, __attribute__((target("avx2,avxvnni"))), __m256i, "x", (void)0, sums[i] = _mm256_dpbusd_avx_epi32(sums[i], a, b))
LOOP(pairs_512, __attribute__((target("avx512f,avx512bw"))), __m512i, "v", __m512i ones = _mm512_set1_epi16(1),
     sums[i] = _mm512_add_epi32(sums[i], _mm512_madd_epi16(_mm512_maddubs_epi16(a, _mm512_xor_si512(b, sums[i])), ones)))
LOOP(pairs_256, __attribute__((target("avx2"))), __m256i, "x", __m256i ones = _mm256_set1_epi16(1),
     sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, _mm256_xor_si256(b, sums[i])), ones)))

static bool has_dot_512(void) { return __builtin_cpu_supports("avx512vnni"); }
static bool has_dot_256(void) { return __builtin_cpu_supports("avxvnni"); }
static bool has_pairs_512(void) { return __builtin_cpu_supports("avx512bw"); }
static bool has_pairs_256(void) { return __builtin_cpu_supports("avx2"); }
#elif defined(__aarch64__)
LOOP(dot_128, __attribute__((target("dotprod"))), int32x4_t, "w", (void)0,
     sums[i] = vdotq_s32(sums[i], vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b)))

// HWCAP_ASIMDDP
static bool has_dot_128(void) { return getauxval(AT_HWCAP) >> 20 & 1; }
#endif

// Multiplies one pair at a time, for CPUs with nothing better.
static uint64_t plain(int64_t rounds) {
  uint64_t sum = 0, factor = 3;
  for (int64_t round = 0; round < rounds; round++) {
    HIDE(factor, "r");
    sum += factor * factor;
  }
  return sum;
}

static bool always(void) { return true; }

static const multiplying loops[] = {
#if defined(__x86_64__)
  {"vpdpbusd of 512 bits", CHAINS * 64, dot_512, has_dot_512},
  {"vpdpbusd of 256 bits", CHAINS * 32, dot_256, has_dot_256},
  {"vpmaddubsw and vpmaddwd of 512 bits", CHAINS * 64, pairs_512, has_pairs_512},
  {"vpmaddubsw and vpmaddwd of 256 bits", CHAINS * 32, pairs_256, has_pairs_256},
#elif defined(__aarch64__)
  {"sdot of 128 bits", CHAINS * 16, dot_128, has_dot_128},
#endif
  {"one product at a time", 1, plain, always},
};

enum { COUNT = sizeof loops / sizeof loops[0] };

static const multiplying *find(int loop) {
  for (int i = 0; i < COUNT; i++)
    if (loops[i].works() && loop-- == 0) return loops + i;
  return loops + COUNT - 1;
}

int cl_multiplying_count(void) {
  int count = 0;
  for (int i = 0; i < COUNT; i++) count += loops[i].works();
  return count;
}

const char *cl_multiplying_name(int loop) { return find(loop)->name; }

uint64_t cl_multiplying_run(int loop, int64_t rounds, int64_t *multiply_adds) {
  *multiply_adds = rounds * find(loop)->each;
  return find(loop)->run(rounds);
}
