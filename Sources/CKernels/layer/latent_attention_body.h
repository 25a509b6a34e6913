// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Latent attention: over a cache in single precision whose values are the first elements of its keys. Included by one file per instruction
// set (ops_table.h), with the number of chains that fit its registers: LATENT_CHAINS. The order of operations is that of
// attention_sections.h.
//
// All heads read the same keys. Queries are computed in lots of 16, one in each lane: an element of a key is read once, as one factor for
// all lanes. So neither scores nor outputs need elements side by side, and one copy of the latents serves both. A block of 64 positions
// (144 KiB with 576 elements) comes from memory for the scores of the first lot; everything else reads it from the second-level cache.
#ifndef CKERNELS_LATENT_ATTENTION_BODY_H
#define CKERNELS_LATENT_ATTENTION_BODY_H

#include <stdbool.h>

#include "attention_sections.h"

// A lot of queries, their state within a section, and the result of the sections before it. Lanes without a query copy the ranges of the
// last one, and their results are not used.
typedef struct {
  const ck_attention *a;
  int64_t first;  // first query
  int count;
  float *queries;                                // [key_dim][lane]
  float *output;                                 // [value_dim][lane], of this section
  float *total;                                  // [value_dim][lane], of the sections before; not used with `sums`
  float total_maximum[16], total_sum[16];        // sum 0 if there were none
  int64_t section[16];                           // positions per section
  float seen[16];                                // 1 if the query has seen a position of this section, else 0
  float maximum[16];
  float sums[16][16];                            // [position % 16][lane]
  float weights[block_positions][16];            // the block's scores at first, then exp(score - maximum)
  float from[16], to[16];                        // positions of the block that each query sees; none if from == to
  position_range any, all;                       // positions of the block that at least one query sees, and that all of them see
} query_lanes;

// Returns the query of a lane.
INLINE int64_t lane_query(const query_lanes *t, int lane) { return t->first + (lane < t->count ? lane : t->count - 1); }

// ---- from rows to lanes and back ------------------------------------------------------------------------------------

// Sets lanes[i][q] to element i of row q, for n elements and 16 rows, of which those from `count` on are taken as zero.
static void rows_to_lanes(const float *rows, int64_t stride, int count, int64_t n, float *lanes) {
  for (int64_t i = 0; i < n; i += 16) {
    int64_t rest = n - i < 16 ? n - i : 16;
    v16 r[16];
    for (int q = 0; q < 16; q++) {
      r[q] = q >= count ? v_set(0) : rest == 16 ? v_load(rows + q * stride + i) : v_load_part(rows + q * stride + i, rest);
    }
    v_transpose(r);
    for (int j = 0; j < rest; j++) v_store(lanes + (i + j) * 16, r[j]);
  }
}

// Sets element i of row q to lanes[i][q], for n elements and `count` rows.
static void lanes_to_rows(const float *lanes, int count, int64_t n, float *rows, int64_t stride) {
  for (int64_t i = 0; i < n; i += 16) {
    int64_t rest = n - i < 16 ? n - i : 16;
    v16 r[16];
    for (int j = 0; j < 16; j++) r[j] = j < rest ? v_load(lanes + (i + j) * 16) : v_set(0);
    v_transpose(r);
    for (int q = 0; q < count; q++) {
      float *row = rows + q * stride + i;
      if (rest == 16) {
        v_store(row, r[q]);
      } else {
        v_store_part(row, r[q], rest);
      }
    }
  }
}

// ---- a block --------------------------------------------------------------------------------------------------------

// Up to 8 queries are computed in vectors of half the size, of which many CPUs compute twice as many at a time.
#define LANES 8
#include "latent_products.h"
#undef LANES
#define LANES 16
#include "latent_products.h"
#undef LANES

// Multiplies outputs and sums by exp(maximum - greater maximum) in those lanes where `greatest` is the greater one.
static void raise_maximum(query_lanes *t, v16 greatest) {
  v16 before = v_load(t->maximum), maximum = v_max(greatest, before);
  v16 factor = greatest > before ? v_exp(before - maximum) : v_set(1);
  v_store(t->maximum, maximum);
  // No lane has had a score in its section yet: outputs and sums are zero.
  if (v_greatest(before) == LEAST_MAXIMUM) return;
  for (int64_t e = 0; e < t->a->value_dim; e++) v_store(t->output + 16 * e, v_load(t->output + 16 * e) * factor);
  for (int i = 0; i < 16; i++) v_store(t->sums[i], v_load(t->sums[i]) * factor);
}

// Turns the block's scores into weights, and updates maxima, sums and outputs.
static void soften_lanes(query_lanes *t) {
  const ck_attention *a = t->a;
  v16 from = v_load(t->from), to = v_load(t->to), greatest = v_set(-INFINITY);
  int begin = t->any.from / 16 * 16, end = (t->any.to + 15) / 16 * 16;
  for (int p = begin; p < end; p++) {
    v16 s = v_load(t->weights[p]) * a->scale;
    if (a->softcap > 0) s = v_tanh(s / a->softcap) * a->softcap;
    s = (float)p < from ? v_set(-INFINITY) : (float)p >= to ? v_set(-INFINITY) : s;
    v_store(t->weights[p], s);
    greatest = v_max(s, greatest);
  }
  if (v_greatest(greatest > v_load(t->maximum) ? v_set(1) : v_set(0)) > 0) raise_maximum(t, greatest);
  for (int p = begin; p < end; p++) {
    v16 w = v_exp(v_load(t->weights[p]) - v_load(t->maximum));
    v_store(t->weights[p], w);
    v_store(t->sums[p % 16], v_load(t->sums[p % 16]) + w);
  }
}

// Sets the positions of the block that each lane's query sees.
static void clip_lanes(query_lanes *t, int64_t block) {
  t->any = (position_range){block_positions, 0};
  t->all = (position_range){0, block_positions};
  for (int lane = 0; lane < 16; lane++) {
    int64_t q = lane_query(t, lane), from = t->a->begin[q] - block, to = t->a->end[q] - block;
    from = from < 0 ? 0 : from;
    to = to > block_positions ? block_positions : to;
    if (from >= to) from = to = 0;
    t->from[lane] = (float)from, t->to[lane] = (float)to;
    t->all.from = from > t->all.from ? (int)from : t->all.from;
    t->all.to = to < t->all.to ? (int)to : t->all.to;
    if (from == to) continue;
    t->seen[lane] = 1;
    t->any.from = from < t->any.from ? (int)from : t->any.from;
    t->any.to = to > t->any.to ? (int)to : t->any.to;
  }
  // Where no position is seen by all, the range of those seen by some is not divided.
  if (t->all.from >= t->all.to) t->all = (position_range){t->any.to, t->any.to};
}

// Adds a block to the state of a lot, and prefetches the next block if `fetches`.
static void attend_block(query_lanes *t, int64_t block, bool fetches) {
  clip_lanes(t, block);
  if (t->any.from >= t->any.to) return;
  const int64_t group_elements = 16 * t->a->key_dim;
  const float *keys = t->a->latents + block / 16 * group_elements;
  for (int g = t->any.from / 16; g < (t->any.to + 15) / 16; g++) {
    const float *group = keys + g * group_elements, *next = fetches ? group + block_groups * group_elements : NULL;
    (t->count > 8 ? score_16 : score_8)(t, group, next, t->weights[16 * g]);
  }
  soften_lanes(t);
  (t->count > 8 ? weigh_16 : weigh_8)(t, keys);
}

// ---- sections -------------------------------------------------------------------------------------------------------

// Returns the sum of the section's weights in each lane: the tree of v_sum.
static v16 section_sums(const query_lanes *t) {
  v16 x[16];
  for (int i = 0; i < 16; i++) x[i] = v_load(t->sums[i]);
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) x[i] += x[i + half];
  }
  return x[0];
}

// Joins the section to those before it in the lanes where `ends` is 1, as `join` does, and begins the next one there.
static void join_lanes(query_lanes *t, v16 ends) {
  const v16 sum = section_sums(t), maximum = v_load(t->maximum);
  const v16 total_sum = v_load(t->total_sum), total_maximum = v_load(t->total_maximum);
  const v16 joins = sum == 0 ? v_set(0) : ends, starts = total_sum == 0 ? joins : v_set(0);
  const v16 greater = v_max(maximum, total_maximum);
  const v16 before = v_exp(total_maximum - greater), factor = v_exp(maximum - greater);
  for (int64_t e = 0; e < t->a->value_dim; e++) {
    const v16 section = v_load(t->output + 16 * e), total = v_load(t->total + 16 * e);
    const v16 joined = v_fma(section, factor, total * before);
    v_store(t->total + 16 * e, starts > 0 ? section : joins > 0 ? joined : total);
    v_store(t->output + 16 * e, ends > 0 ? v_set(0) : section);
  }
  const v16 joined_sum = v_fma(sum, factor, total_sum * before);
  v_store(t->total_sum, starts > 0 ? sum : joins > 0 ? joined_sum : total_sum);
  v_store(t->total_maximum, starts > 0 ? maximum : joins > 0 ? greater : total_maximum);
  v_store(t->maximum, ends > 0 ? v_set(LEAST_MAXIMUM) : maximum);
  v_store(t->seen, ends > 0 ? v_set(0) : v_load(t->seen));
  for (int i = 0; i < 16; i++) v_store(t->sums[i], ends > 0 ? v_set(0) : v_load(t->sums[i]));
}

// Begins a section for each query that enters one with this block.
static void enter_block_lanes(query_lanes *t, int64_t block) {
  v16 enters = v_load(t->seen);
  for (int lane = 0; lane < 16; lane++) {
    if (block % t->section[lane] != 0) enters[lane] = 0;
  }
  if (v_greatest(enters) > 0) join_lanes(t, enters);
}

// ---- a tile ---------------------------------------------------------------------------------------------------------

// Sets up a lot of queries, in `room` for 16 * (key_dim + 2 * value_dim) elements.
static void begin_lot(query_lanes *t, const ck_attention *a, int64_t first, int count, float *room) {
  *t = (query_lanes){.a = a, .first = first, .count = count};
  t->queries = room;
  t->output = t->queries + 16 * a->key_dim;
  t->total = t->output + 16 * a->value_dim;
  for (int lane = 0; lane < 16; lane++) t->section[lane] = ck_latent_section(a->end[lane_query(t, lane)]);
  v_store(t->maximum, v_set(LEAST_MAXIMUM));
  v_store(t->total_maximum, v_set(LEAST_MAXIMUM));
  rows_to_lanes(a->queries + first * a->query_stride, a->query_stride, count, a->key_dim, t->queries);
  // `total` follows `output`.
  memset(t->output, 0, (size_t)a->value_dim * 16 * sizeof(float) * (a->sums ? 1 : 2));
}

// Hands a lot's results to the caller.
static void end_lot(query_lanes *t) {
  const ck_attention *a = t->a;
  float *output = a->output + t->first * a->output_stride;
  if (a->sums) {
    const v16 sums = section_sums(t);
    for (int lane = 0; lane < t->count; lane++) a->sums[t->first + lane] = (ck_attention_sum){t->maximum[lane], sums[lane]};
    lanes_to_rows(t->output, t->count, a->value_dim, output, a->output_stride);
    return;
  }
  join_lanes(t, v_set(1));
  lanes_to_rows(t->total, t->count, a->value_dim, output, a->output_stride);
  for (int lane = 0; lane < t->count; lane++) {
    const float *sink = a->sinks ? a->sinks + t->first + lane : NULL;
    const ck_attention_sum total = {t->total_maximum[lane], t->total_sum[lane]};
    finish(total, sink, a->value_dim, output + lane * a->output_stride);
  }
}

// Computes `count` queries, at most tile_queries, whose lots pass over each block one after the other.
static void attend_latents(const ck_attention *a, int64_t first, int count) {
  query_lanes lots[tile_queries / 16];
  const int lot_count = (count + 15) / 16;
  for (int i = 0; i < lot_count; i++) {
    int rest = count - 16 * i;
    begin_lot(&lots[i], a, first + 16 * i, rest < 16 ? rest : 16, a->room + i * 16 * (a->key_dim + 2 * a->value_dim));
  }
  const position_range range = range_of(a, first, count);
  for (int64_t block = range.from / block_positions * block_positions; block < range.to; block += block_positions) {
    for (int i = 0; i < lot_count; i++) {
      if (!a->sums) enter_block_lanes(&lots[i], block);
      attend_block(&lots[i], block, i == 0);
    }
  }
  for (int i = 0; i < lot_count; i++) end_lot(&lots[i]);
}

static void store_latent(const float *latent, int64_t dim, int64_t position, float *latents) {
  float *out = latents + position / 16 * dim * 16 + position % 16;
  for (int64_t i = 0; i < dim; i++) out[i * 16] = latent[i];
}

#endif
