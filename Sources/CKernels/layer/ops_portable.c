// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The layer operations in the target's base instruction set, the reference for all others.
#include "ops.h"
#include "ops_table.h"

void ck_fill_ops_portable(ck_table *table) { fill(table); }
