// The layer operations in the target's base instruction set: the reference of all others.
#include "ops.h"

#define ATTENTION_QUERIES 2
#define ATTENTION_VECTORS 2
#define PLAIN_ROWS 2
#define PLAIN_COLUMNS 2
#include "ops_table.h"

void ck_fill_ops_portable(ck_table *table) { fill(table); }
