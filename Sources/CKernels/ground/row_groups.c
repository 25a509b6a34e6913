// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Conversion of whole rows of the types that interleave blocks of several rows, in both directions.
#include "row_groups.h"

#include "CKernels.h"

// Converts the blocks of all rows of a group, in one direction or the other.
static void pair_groups(uint32_t type, uint8_t *groups, int64_t rows, int64_t k, uint8_t *out, bool taking) {
  const wt_facts *t = &wt_types[type];
  const int64_t count = t->group_rows, header = t->row_header, bytes = t->bytes, blocks = k / t->elements;
  const int64_t row_bytes = header + blocks * bytes;
  for (int64_t first = 0; first < rows; first += count) {
    uint8_t *group = groups + first * row_bytes, *row = out + first * row_bytes;
    for (int64_t r = 0; r < count; r++, row += row_bytes) {
      if (taking) memcpy(row, group + r * header, (size_t)header);
      else memcpy(group + r * header, row, (size_t)header);
      for (int64_t b = 0; b < blocks; b++) {
        pair_blocks(type, (block_pair){group + count * header + b * count * bytes, row + header + b * bytes, taking}, (int)r);
      }
    }
  }
}

void ck_ungroup_rows(uint32_t type, const uint8_t *groups, int64_t rows, int64_t k, uint8_t *out) {
  const wt_facts *t = &wt_types[type];
  memset(out, 0, (size_t)(rows * (t->row_header + k / t->elements * t->bytes)));
  pair_groups(type, (uint8_t *)(uintptr_t)groups, rows, k, out, true);
}

void ck_group_rows(uint32_t type, const uint8_t *in, int64_t rows, int64_t k, uint8_t *groups) {
  const wt_facts *t = &wt_types[type];
  memset(groups, 0, (size_t)(rows * (t->row_header + k / t->elements * t->bytes)));
  pair_groups(type, groups, rows, k, (uint8_t *)(uintptr_t)in, false);
}
