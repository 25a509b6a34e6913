// vpmaddubsw on two registers a line. Sixteen registers hold the sums of four columns.
#define V16_HALF 256
#define SIGNED_LINES 1
#define GROUPS 1
#define COLUMNS 4
#define DEMANDING 4
#define WIDE_COLUMNS 4

#include "lines_256.h"
#include "lines_pairs.h"
#include "unpack16.h"
#include "matmul16_body.h"
