// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The layer operations as AVX-512 computes them, with its number of accumulators, in the base instruction set. They name few instructions
// (conversions of halves, a table of 16 values), so nothing else needs emulation.
#include "EmulatedKernels.h"

#define OPS_WIDE 1
#include "layer/ops_table.h"

static ck_table table;

__attribute__((constructor)) static void fill_table(void) {
  table = *ck_select("portable");
  table.name = "wide";
  fill(&table);
}

const ck_table *wide_operations(void) { return &table; }
