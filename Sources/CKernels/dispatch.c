// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Chooses the table of kernels for this CPU.
//
// A table is filled by the functions of several instruction sets in order. Each overwrites only the entries that it improves, and inherits
// the others. All tables are built once, at the first request; after that they are only read.
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "CKernels.h"
#include "ground/grids.h"
#include "matmul16/matmul16.h"
#include "layer/ops.h"
#if defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

typedef void (*fill_function)(ck_table *);

#define MAX_FILLS 9

typedef struct {
  const char *name;
  bool (*runs_here)(void);
  fill_function fills[MAX_FILLS];  // ended by NULL
} recipe;

static bool always(void) { return true; }

#define PORTABLE ck_fill_ops_portable, ck_fill_matmul16_portable

#if defined(__x86_64__)
#define AVX2 PORTABLE, ck_fill_ops_avx2, ck_fill_matmul16_avx2
#define AVX512 AVX2, ck_fill_ops_avx512, ck_fill_matmul16_avx512
#define AVX512_VNNI AVX512, ck_fill_matmul16_avx512vnni

static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

static bool has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool has_avxvnni(void) { return has_avx2() && __builtin_cpu_supports("avxvnni"); }
static bool has_avx512vnni(void) { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }

static bool has_avx512vbmi(void) { return has_avx512vnni() && __builtin_cpu_supports("avx512vbmi"); }

// The kernel permits tiles only after a process has requested their 8 KiB of state for every thread (arch_prctl, Linux 5.16).
static bool has_amx(void) {
  enum { request_permission = 0x1023, tile_data = 18 };
  return has_avx512vnni() && __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-int8") &&
         syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}
#elif defined(__aarch64__)
#define NEON PORTABLE, ck_fill_ops_neon

static bool has_dotprod(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#endif

// Best first. AMX comes after AVX-512-VNNI, which every CPU with AMX has, and so must be requested by name: it is not reliably faster
// (docs/KERNELS.md).
static const recipe recipes[] = {
#if defined(__x86_64__)
  {"avx512vbmi", has_avx512vbmi, {AVX512_VNNI, ck_fill_matmul16_avx512vbmi}},
  {"avx512vnni", has_avx512vnni, {AVX512_VNNI}},
  {"amx", has_amx, {AVX512, ck_fill_matmul16_amx}},
  {"avx512", has_avx512, {AVX512}},
  {"avxvnni", has_avxvnni, {AVX2, ck_fill_matmul16_avxvnni}},
  {"avx2", has_avx2, {AVX2}},
#elif defined(__aarch64__)
  {"dotprod", has_dotprod, {NEON, ck_fill_matmul16_dotprod}},
  {"neon", always, {NEON}},
#endif
  {"portable", always, {PORTABLE}},
};

#define RECIPE_COUNT (sizeof recipes / sizeof recipes[0])

static ck_table tables[RECIPE_COUNT];
static const char *names[RECIPE_COUNT + 1];
static size_t table_count;
bool ck_is_intel;
static pthread_once_t built = PTHREAD_ONCE_INIT;

static void build(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  ck_is_intel = __builtin_cpu_is("intel");
#endif
  ck_expand_grids();
  for (size_t i = 0; i < RECIPE_COUNT; i++) {
    const recipe *recipe = &recipes[i];
    if (!recipe->runs_here()) continue;
    ck_table *table = &tables[table_count];
    for (int f = 0; f < MAX_FILLS && recipe->fills[f] != NULL; f++) recipe->fills[f](table);
    table->name = recipe->name;
    names[table_count++] = recipe->name;
  }
}

const ck_table *ck_select(const char *name) {
  pthread_once(&built, build);
  if (name == NULL || strcmp(name, "auto") == 0) return &tables[0];
  for (size_t i = 0; i < table_count; i++) {
    if (strcmp(tables[i].name, name) == 0) return &tables[i];
  }
  return NULL;
}

const char *const *ck_available(void) {
  pthread_once(&built, build);
  return names;
}
