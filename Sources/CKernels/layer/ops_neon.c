// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The layer operations for AArch64, whose base instruction set suffices for all of them.
#if defined(__aarch64__)
#include "ops.h"
#include "ops_table.h"

void ck_fill_ops_neon(ck_table *table) { fill(table); }
#endif
