// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "WeightTypes.h"

#include <stddef.h>

wt_facts wt_facts_of(uint32_t number) { return number < WT_COUNT ? wt_types[number] : (wt_facts){}; }

wt_field wt_head_field(wt_facts facts, int index) {
  return index >= 0 && index < WT_FIELDS_MAX ? facts.head[index] : (wt_field){};
}

wt_field wt_body_field(wt_facts facts, int index) {
  return index >= 0 && index < WT_FIELDS_MAX ? facts.body[index] : (wt_field){};
}

const char *wt_name(uint32_t number) {
  switch (number) {
#define NAME(name, number, ...) case number: return #name;
    WEIGHT_TYPES(NAME, NAME, NAME, NAME, NAME)
#undef NAME
    default: return NULL;
  }
}

// ---- what must hold of every row --------------------------------------------------------------------------------------------

#define CHECK_BLOCK(name, number, elements, bytes, header, ...)                                  \
  _Static_assert(number < WT_COUNT, #name ": rows stand in ascending order of their numbers");   \
  _Static_assert(elements == 1 || elements % 32 == 0, #name ": blocks are cut into runs of 32"); \
  _Static_assert(elements >= 1 && bytes >= 1, #name ": a block has elements and bytes");

// Every byte of a block is in exactly one field, so that a layout is only a permutation.
#undef WT_FIELDS
#undef WT_FIELD
#undef WT_FLIPPED
#define WT_FIELDS(...) (0 __VA_OPT__(+ WT_SUM(__VA_ARGS__, , , )))
#define WT_SUM(a, b, c, d, ...) a b c d
#define WT_FIELD(offset, bytes, unit_bits) +(bytes)
#define WT_FLIPPED(offset, bytes, unit_bits, flip) +(bytes)
#define CHECK_FORM(name, number, elements, bytes, header, since, tile, head, body, ...)            \
  CHECK_BLOCK(name, number, elements, bytes, header)                                               \
  _Static_assert((head) + (body) == (bytes), #name ": head and body are the whole block");         \
  _Static_assert((tile) >= 1, #name ": a tile has blocks");                                    \
  _Static_assert((since) >= 1, #name ": versions of the layouts begin with 1");

// Slices of a matrix begin at multiples of 16 rows, which must not divide a group.
#define CHECK_GROUPED(name, number, elements, bytes, header, since, base, rows) \
  CHECK_BLOCK(name, number, elements, bytes, header)                            \
  _Static_assert((rows) > 1 && 16 % (rows) == 0, #name ": 16 rows are whole groups");

WEIGHT_TYPES(CHECK_BLOCK, CHECK_FORM, CHECK_FORM, CHECK_FORM, CHECK_GROUPED)

#define CHECK_KIND(kind, greatest, offset, mins, sub_scales, wide)                                                \
  _Static_assert(!(sub_scales) || (offset) % 2 == 0, #kind ": half of the offset is taken out of each of two sums"); \
  _Static_assert((greatest) <= 255 && ((wide) || (greatest) <= 127), #kind ": bytes above 127 are wide");

WEIGHT_LINE_KINDS(CHECK_KIND)
