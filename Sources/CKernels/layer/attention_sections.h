// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// What all kinds of attention (attention_body.h, latent_attention_body.h) have in common: the order of their operations, and the joining
// of sections. Included by one file per instruction set (ops_table.h).
//
// Order, for each query by itself, regardless of the queries that it is computed with:
// - score of a position: one chain of fma over the key's elements in order, times scale, then the softcap
// - positions in blocks of 64 that begin at multiples of 64. After a block's scores: m' = max(m, greatest of the block); if it
//   rose, the output and the 16 partial sums are multiplied by exp(m - m'); weights are exp(s - m')
// - partial sums: the weight of position p is added to sum p mod 16, in order; at the end the tree of v_sum
// - output: one chain of fma over the positions in order, for each element; at the end times 1 / sum
// - positions that lie in several sections (ck_attention_section, or ck_latent_section for latents): each section by itself as above,
//   undivided; then in order m' = max(m, m of the section), f = exp(m - m'), g = exp(m of the section - m'), sum' = fma(sum of the section,
//   g, sum * f), output' = fma(output of the section, g, output * f)
// - a sink then joins: m' = max(m, sink), f = exp(m - m'), sum' = fma(sum, f, exp(sink - m')), and the output is times f / sum'
#ifndef CKERNELS_ATTENTION_SECTIONS_H
#define CKERNELS_ATTENTION_SECTIONS_H

#include "CKernels.h"
#include "exponentials.h"
#include "ops_body.h"

enum {
  block_positions = 64,
  block_groups = block_positions / 16,
  tile_queries = 32,  // queries that pass over a block of the cache together
};

// A query's maximum before its first position. It is finite, so that a first block of infinite scores does not lead to a difference of
// infinities.
#define LEAST_MAXIMUM (-0x1.fffffep127f)

// Positions from `from` up to, but not including, `to`.
typedef struct {
  int from, to;
} position_range;

// Returns the range of all positions that some queries see.
INLINE position_range range_of(const ck_attention *a, int64_t first, int count) {
  position_range range = {INT32_MAX, 0};
  for (int64_t q = first; q < first + count; q++) {
    range.from = a->begin[q] < range.from ? a->begin[q] : range.from;
    range.to = a->end[q] > range.to ? a->end[q] : range.to;
  }
  return range;
}

// Joins a section to those before it. A section whose weights are all zero changes nothing.
static void join(ck_attention_sum *total, float *output, ck_attention_sum section, const float *section_output, int64_t n) {
  if (section.sum == 0) return;
  if (total->sum == 0) {
    *total = section;
    if (output != section_output) memcpy(output, section_output, (size_t)n * sizeof(float));
    return;
  }
  float maximum = section.maximum > total->maximum ? section.maximum : total->maximum;
  float before = v_exp(v_set(total->maximum - maximum))[0], factor = v_exp(v_set(section.maximum - maximum))[0];
  scale(output, before, n, output);
  add_scaled(output, section_output, factor, n, output);
  *total = (ck_attention_sum){maximum, fmaf(section.sum, factor, total->sum * before)};
}

// Adds the sink to the sum, and divides by the sum.
static void finish(ck_attention_sum total, const float *sink, int64_t n, float *output) {
  float factor = 1.0f, sum = total.sum;
  if (sink) {
    float maximum = *sink > total.maximum ? *sink : total.maximum;
    factor = v_exp(v_set(total.maximum - maximum))[0];
    sum = fmaf(sum, factor, v_exp(v_set(*sink - maximum))[0]);
  }
  scale(output, factor / sum, n, output);
}

static void attention_join(
    const float *outputs, const ck_attention_sum *sums, int64_t sections, int64_t value_dim, const float *sink, float *out) {
  ck_attention_sum total = {LEAST_MAXIMUM, 0};
  memset(out, 0, (size_t)value_dim * sizeof(float));
  for (int64_t i = 0; i < sections; i++) join(&total, out, sums[i], outputs + i * value_dim, value_dim);
  finish(total, sink, value_dim, out);
}

#endif
