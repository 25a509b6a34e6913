// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include <stddef.h>
#include <string.h>

#include "EmulatedKernels.h"

#if __has_include(<simde/x86/avx512.h>)
void fill_emulated_avx2(ck_table *table);
void fill_emulated_avxvnni(ck_table *table);
void fill_emulated_avx512(ck_table *table);
void fill_emulated_avx512vnni(ck_table *table);
void fill_emulated_avx512vnni_intel(ck_table *table);
void fill_emulated_avx512vbmi(ck_table *table);
void fill_emulated_amx(ck_table *table);

static const struct {
  const char *name;
  void (*fill[2])(ck_table *);  // in order
} kernels[] = {
  {"avx2", {fill_emulated_avx2}},
  {"avxvnni", {fill_emulated_avxvnni}},
  {"avx512", {fill_emulated_avx512}},
  {"avx512vnni", {fill_emulated_avx512vnni}},
  {"avx512vnni-intel", {fill_emulated_avx512vnni_intel}},
  {"avx512vbmi", {fill_emulated_avx512vnni, fill_emulated_avx512vbmi}},
  {"amx", {fill_emulated_amx}},
};
enum { count = sizeof kernels / sizeof kernels[0] };

static ck_table tables[count];

__attribute__((constructor)) static void fill_tables(void) {
  for (int i = 0; i < count; i++) {
    tables[i] = *ck_select("portable");
    tables[i].name = kernels[i].name;
    // Otherwise a kernel that a file forgets to enter would be compared with itself.
    memset(tables[i].matmul16, 0, sizeof tables[i].matmul16);
    for (int f = 0; f < 2 && kernels[i].fill[f] != NULL; f++) kernels[i].fill[f](&tables[i]);
  }
}

const ck_table *emulated_table(const char *name) {
  for (int i = 0; i < count; i++) {
    if (strcmp(kernels[i].name, name) == 0) return &tables[i];
  }
  return NULL;
}
#else
const ck_table *emulated_table(const char *name) {
  (void)name;
  return NULL;
}
#endif
