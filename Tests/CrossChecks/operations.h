// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "CKernels.h"

// Prints the operations whose results differ between the two tables, and returns their number.
int compare_operations(const ck_table *table, const ck_table *portable);

#endif
