// The layer operations for AArch64, whose base instruction set has all they need.
#if defined(__aarch64__)
#include "ops.h"

#define ATTENTION_QUERIES 2
#define ATTENTION_VECTORS 2
#define PLAIN_ROWS 2
#define PLAIN_COLUMNS 2
#include "ops_table.h"

void ck_fill_ops_neon(ck_table *table) { fill(table); }
#endif
