// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "CKernels.h"

// Number of operations whose results of the two tables differ; prints each.
int compare_operations(const ck_table *table, const ck_table *portable);

#endif
