// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Attention with online softmax over a cache in half precision or Q8_0. Included by one file per instruction set (ops_table.h), with the
// numbers of queries and vectors that fit its registers: ATTENTION_QUERIES and ATTENTION_VECTORS. The order of operations is that of
// attention_sections.h.
//
// A quant times its scale is exact in single precision, so both kinds of cache are read as floats and treated the same.
#ifndef CKERNELS_ATTENTION_BODY_H
#define CKERNELS_ATTENTION_BODY_H

#include <stdbool.h>

#include "attention_sections.h"
#include "latent_attention_body.h"

// The state of a tile's queries within a section, and the result of the sections before it.
typedef struct {
  const ck_attention *a;
  int64_t first;  // first query of the tile
  int count;
  float *output;          // of the tile's queries in this section; the final output if no query sees two sections
  int64_t output_stride;  // elements
  ck_attention_sum total[tile_queries];  // of the sections before; sum 0 if there were none
  int64_t section[tile_queries];         // positions per section
  bool seen[tile_queries];               // whether the query has seen a position of this section
  float maximum[tile_queries];
  float sums[tile_queries][16];
  float weights[tile_queries][block_positions];  // the block's scores at first, then exp(score - maximum)
  int from[tile_queries], to[tile_queries];      // positions of the block that each query sees; none if from == to
} attention_tile;

// The number formats of the cache.
typedef enum { CACHE_F16, CACHE_Q8 } cache_form;

// Returns the bytes of the keys of 16 positions, and the bytes from one position's value to the next.
INLINE int64_t group_bytes(const ck_attention *a, cache_form form) {
  return form == CACHE_Q8 ? a->key_dim / 32 * 544 : a->key_dim * 32;
}
INLINE int64_t step_bytes(const ck_attention *a, cache_form form) {
  return form == CACHE_Q8 ? a->value_dim / 32 * 34 : a->value_dim * 2;
}

// Return where the keys of the 16 positions from p begin, and where the value of position p begins.
INLINE const uint8_t *group_start(const ck_attention *a, cache_form form, int64_t p) {
  const uint8_t *keys = form == CACHE_Q8 ? a->q8_keys : (const uint8_t *)a->keys;
  return keys + p / 16 * group_bytes(a, form);
}
INLINE const uint8_t *value_start(const ck_attention *a, cache_form form, int64_t p) {
  const uint8_t *values = form == CACHE_Q8 ? a->q8_values : (const uint8_t *)a->values;
  return values + p * step_bytes(a, form);
}

// Returns the number of key elements (of 16 positions) between two prefetches of values; in Q8_0, those of a block.
INLINE int64_t key_step(cache_form form) { return form == CACHE_Q8 ? 32 : 8; }

// Such a piece of keys: its start and, in Q8_0, its scales.
typedef struct {
  const uint8_t *start;
  v16 scales;
} key_piece;

INLINE key_piece load_piece(const uint8_t *group, cache_form form, int64_t d) {
  if (form != CACHE_Q8) return (key_piece){group + d * 32, v_set(0)};
  const uint8_t *block = group + d / 32 * 544;
  return (key_piece){block + 32, v_load_half((const uint16_t *)(const void *)block)};
}

// Loads element i of a piece.
INLINE v16 load_key(key_piece piece, cache_form form, int64_t i) {
  if (form == CACHE_Q8) return v_load_signed(piece.start + i * 16) * piece.scales;
  return v_load_half((const uint16_t *)(const void *)piece.start + i * 16);
}

// Loads 16 elements of a value, from element e on.
INLINE v16 load_value(const uint8_t *value, cache_form form, int64_t e) {
  if (form == CACHE_Q8) return v_load_signed(value + e / 32 * 34 + 2 + e % 32) * v_set_half(value + e / 32 * 34);
  return v_load_half((const uint16_t *)(const void *)value + e);
}

// Prefetches. While the keys of a block are read, its values are fetched; while these are read, the keys of the next block are. The
// processor's own prefetching loses track at every such turn. Prefetches go to the second-level cache, because the first has no
// room for a block and what is fetched meanwhile. A prefetch cannot fail, whatever the address.
INLINE void fetch(const uint8_t *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(from + i, 0, 2);
}

// Fetches the values that belong to the piece of keys from element d on.
INLINE void fetch_values(const ck_attention *a, cache_form form, int64_t block, int64_t d) {
  int64_t from = d * block_positions / a->key_dim, to = (d + key_step(form)) * block_positions / a->key_dim;
  int64_t bytes = step_bytes(a, form);
  for (int64_t p = from; p < to && p < block_positions; p++) fetch(value_start(a, form, block + p), bytes);
}

// Fetches the part of the next block's keys that belongs to `vectors` vectors of position p's value from element e on.
INLINE void fetch_keys(const ck_attention *a, cache_form form, int64_t block, int64_t e, int vectors, int p) {
  int64_t bytes = group_bytes(a, form) * block_groups / block_positions * 16 * vectors / a->value_dim;
  int64_t index = e / 16 / vectors * block_positions + p;
  fetch(group_start(a, form, block + block_positions) + index * bytes, bytes);
}

// Computes the dot products of `queries` queries from q with `groups` groups of 16 positions from g, in the block that begins at `block`.
INLINE void score(attention_tile *t, cache_form form, int64_t block, int q, int queries, int g, int groups) {
  const ck_attention *a = t->a;
  const float *query = a->queries + (t->first + q) * a->query_stride;
  const uint8_t *keys = group_start(a, form, block + 16 * g);
  v16 sums[ATTENTION_QUERIES][ATTENTION_VECTORS];
  for (int i = 0; i < queries; i++) {
    for (int j = 0; j < groups; j++) sums[i][j] = v_set(0);
  }
  const int64_t step = key_step(form);
  for (int64_t d = 0; d < a->key_dim; d += step) {
    if (q == 0) fetch_values(a, form, block, d);
    key_piece pieces[ATTENTION_VECTORS];
    for (int j = 0; j < groups; j++) pieces[j] = load_piece(keys + j * group_bytes(a, form), form, d);
    int64_t count = form == CACHE_Q8 || a->key_dim - d >= step ? step : a->key_dim - d;
    for (int64_t e = 0; e < count; e++) {
      v16 key[ATTENTION_VECTORS];
      for (int j = 0; j < groups; j++) key[j] = load_key(pieces[j], form, e);
      for (int i = 0; i < queries; i++) {
        v16 x = v_set(query[i * a->query_stride + d + e]);
        for (int j = 0; j < groups; j++) sums[i][j] = v_fma(x, key[j], sums[i][j]);
      }
    }
  }
  for (int i = 0; i < queries; i++) {
    for (int j = 0; j < groups; j++) v_store(t->weights[q + i] + (g + j) * 16, sums[i][j]);
  }
}

// Adds the weighted values of positions from..<to of the block to elements e..<e + 16 * vectors of `queries` outputs from q.
INLINE void weigh(attention_tile *t, cache_form form, int64_t block, int q, int queries, int64_t e, int vectors, int from, int to) {
  const ck_attention *a = t->a;
  float *output = t->output + q * t->output_stride + e;
  v16 sums[ATTENTION_QUERIES][2 * ATTENTION_VECTORS];
  for (int i = 0; i < queries; i++) {
    for (int j = 0; j < vectors; j++) sums[i][j] = v_load(output + i * t->output_stride + 16 * j);
  }
  for (int p = from; p < to; p++) {
    if (q == 0) fetch_keys(a, form, block, e, vectors, p);
    v16 value[2 * ATTENTION_VECTORS];
    for (int j = 0; j < vectors; j++) value[j] = load_value(value_start(a, form, block + p), form, e + 16 * j);
    for (int i = 0; i < queries; i++) {
      v16 w = v_set(t->weights[q + i][p]);
      for (int j = 0; j < vectors; j++) sums[i][j] = v_fma(w, value[j], sums[i][j]);
    }
  }
  for (int i = 0; i < queries; i++) {
    for (int j = 0; j < vectors; j++) v_store(output + i * t->output_stride + 16 * j, sums[i][j]);
  }
}

// Adds the elements that do not fill a vector, for one query; never needed in Q8_0.
static void weigh_rest(attention_tile *t, int64_t block, int q, int64_t e, int from, int to) {
  const ck_attention *a = t->a;
  float *output = t->output + q * t->output_stride;
  for (; e < a->value_dim; e++) {
    for (int p = from; p < to; p++) {
      float value = v_half((const uint8_t *)(a->values + (block + p) * a->value_dim + e));
      output[e] = fmaf(t->weights[q][p], value, output[e]);
    }
  }
}

// Computes the scores of `queries` queries from q for groups g..<end of the block.
INLINE void score_groups(attention_tile *t, cache_form form, int64_t block, int q, int queries, int g, int end) {
  for (; g + ATTENTION_VECTORS <= end; g += ATTENTION_VECTORS) score(t, form, block, q, queries, g, ATTENTION_VECTORS);
  for (; g < end; g++) score(t, form, block, q, queries, g, 1);
}

// Computes the scores of the tile's queries for those groups of the block's positions that any of them sees.
INLINE void score_block(attention_tile *t, cache_form form, int64_t block) {
  int from = block_positions, to = 0;
  for (int q = 0; q < t->count; q++) {
    if (t->from[q] == t->to[q]) continue;
    from = t->from[q] < from ? t->from[q] : from;
    to = t->to[q] > to ? t->to[q] : to;
  }
  int q = 0, end = (to + 15) / 16;
  for (; q + ATTENTION_QUERIES <= t->count; q += ATTENTION_QUERIES) {
    score_groups(t, form, block, q, ATTENTION_QUERIES, from / 16, end);
  }
#if ATTENTION_QUERIES > 2
  for (; q + 2 <= t->count; q += 2) score_groups(t, form, block, q, 2, from / 16, end);
#endif
  for (; q < t->count; q++) score_groups(t, form, block, q, 1, from / 16, end);
}

// Turns one query's scores in the block into weights, and updates its maximum, sums and output.
static void soften(attention_tile *t, int q) {
  const ck_attention *a = t->a;
  static const float lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  int begin = t->from[q] / 16, end = (t->to[q] + 15) / 16;
  v16 s[block_groups];
  v16 greatest = v_set(-INFINITY);
  for (int g = begin; g < end; g++) {
    s[g] = v_load(t->weights[q] + 16 * g) * a->scale;
    if (a->softcap > 0) s[g] = v_tanh(s[g] / a->softcap) * a->softcap;
    v16 position = v_load(lanes) + (float)(16 * g);
    s[g] = position < (float)t->from[q] ? v_set(-INFINITY) : position >= (float)t->to[q] ? v_set(-INFINITY) : s[g];
    greatest = v_max(s[g], greatest);
  }
  float maximum = v_greatest(greatest);
  v16 sums = v_load(t->sums[q]);
  if (maximum > t->maximum[q]) {
    float factor = v_exp(v_set(t->maximum[q] - maximum))[0];
    float *output = t->output + q * t->output_stride;
    scale(output, factor, a->value_dim, output);
    sums *= factor;
    t->maximum[q] = maximum;
  }
  for (int g = begin; g < end; g++) {
    v16 w = v_exp(s[g] - t->maximum[q]);
    v_store(t->weights[q] + 16 * g, w);
    sums += w;
  }
  v_store(t->sums[q], sums);
}

// Adds the values of positions from..<to to the outputs of `queries` queries from q, over all elements.
INLINE void weigh_all(attention_tile *t, cache_form form, int64_t block, int q, int queries, int from, int to) {
  if (from >= to) return;
  int64_t e = 0;
  const int wide = 2 * ATTENTION_VECTORS;
  for (; 2 * queries <= ATTENTION_QUERIES && e + 16 * wide <= t->a->value_dim; e += 16 * wide) {
    weigh(t, form, block, q, queries, e, wide, from, to);
  }
  for (; e + 16 * ATTENTION_VECTORS <= t->a->value_dim; e += 16 * ATTENTION_VECTORS) {
    weigh(t, form, block, q, queries, e, ATTENTION_VECTORS, from, to);
  }
  for (; e + 16 <= t->a->value_dim; e += 16) weigh(t, form, block, q, queries, e, 1, from, to);
  if (e < t->a->value_dim) {
    for (int i = 0; i < queries; i++) weigh_rest(t, block, q + i, e, from, to);
  }
}

static void weigh_one_f16(attention_tile *t, int64_t block, int q, int from, int to) { weigh_all(t, CACHE_F16, block, q, 1, from, to); }
static void weigh_one_q8(attention_tile *t, int64_t block, int q, int from, int to) { weigh_all(t, CACHE_Q8, block, q, 1, from, to); }
INLINE void weigh_one(attention_tile *t, cache_form form, int64_t block, int q, int from, int to) {
  switch (form) {
    case CACHE_F16: return weigh_one_f16(t, block, q, from, to);
    case CACHE_Q8: return weigh_one_q8(t, block, q, from, to);
  }
}

// Weighs the block's values for `queries` queries from q: the positions that all of them see together, and those at either end for each
// query alone. A query never touches a position that it does not see, not even with weight zero, because the value there may be infinite.
INLINE void weigh_block(attention_tile *t, cache_form form, int64_t block, int q, int queries) {
  int from = 0, to = block_positions;
  for (int i = q; i < q + queries; i++) {
    from = t->from[i] > from ? t->from[i] : from;
    to = t->to[i] < to ? t->to[i] : to;
  }
  if (from >= to) {
    for (int i = q; i < q + queries; i++) weigh_one(t, form, block, i, t->from[i], t->to[i]);
    return;
  }
  for (int i = q; i < q + queries; i++) weigh_one(t, form, block, i, t->from[i], from);
  weigh_all(t, form, block, q, queries, from, to);
  for (int i = q; i < q + queries; i++) weigh_one(t, form, block, i, to, t->to[i]);
}

// Sets the positions of the block that each query of the tile sees.
static void clip_ranges(attention_tile *t, int64_t block) {
  for (int q = 0; q < t->count; q++) {
    int64_t from = t->a->begin[t->first + q] - block, to = t->a->end[t->first + q] - block;
    t->from[q] = (int)(from < 0 ? 0 : from);
    t->to[q] = (int)(to > block_positions ? block_positions : to);
    if (t->from[q] >= t->to[q]) t->from[q] = t->to[q] = 0;
    t->seen[q] |= t->from[q] < t->to[q];
  }
}

// ---- sections -------------------------------------------------------------------------------------------------------

static void begin_section(attention_tile *t, int q) {
  t->maximum[q] = LEAST_MAXIMUM;
  v_store(t->sums[q], v_set(0));
  memset(t->output + q * t->output_stride, 0, (size_t)t->a->value_dim * sizeof(float));
  t->seen[q] = false;
}

INLINE ck_attention_sum section_sum(const attention_tile *t, int q) {
  return (ck_attention_sum){t->maximum[q], v_sum(v_load(t->sums[q]))};
}

static void end_section(attention_tile *t, int q) {
  const ck_attention *a = t->a;
  float *output = a->output + (t->first + q) * a->output_stride;
  join(&t->total[q], output, section_sum(t, q), t->output + q * t->output_stride, a->value_dim);
}

// ---- a tile ---------------------------------------------------------------------------------------------------------

// Sets up the tile's queries. If some see several sections, each section's outputs are summed separately.
INLINE void begin_tile(attention_tile *t, const ck_attention *a, int64_t first, int count) {
  t->a = a;
  t->first = first;
  t->count = count;
  bool several = false;
  for (int q = 0; q < count; q++) {
    int64_t length = t->section[q] = ck_attention_section(a->end[first + q]);
    several |= !a->sums && a->begin[first + q] / length != (a->end[first + q] - 1) / length;
  }
  t->output = several ? a->room : a->output + first * a->output_stride;
  t->output_stride = several ? a->value_dim : a->output_stride;
  for (int q = 0; q < count; q++) {
    t->total[q] = (ck_attention_sum){LEAST_MAXIMUM, 0};
    begin_section(t, q);
    if (several) memset(a->output + (first + q) * a->output_stride, 0, (size_t)a->value_dim * sizeof(float));
  }
}

// Begins a section for each query that enters one with this block.
INLINE void enter_block(attention_tile *t, int64_t block) {
  for (int q = 0; q < t->count; q++) {
    if (block % t->section[q] != 0 || !t->seen[q]) continue;
    end_section(t, q);
    begin_section(t, q);
  }
}

INLINE void end_tile(attention_tile *t) {
  const ck_attention *a = t->a;
  for (int q = 0; q < t->count; q++) {
    int64_t index = t->first + q;
    if (a->sums) {
      a->sums[index] = section_sum(t, q);
      continue;
    }
    end_section(t, q);
    finish(t->total[q], a->sinks ? a->sinks + index : NULL, a->value_dim, a->output + index * a->output_stride);
  }
}

INLINE void attend_tile(const ck_attention *a, cache_form form, int64_t first, int count) {
  attention_tile t;
  begin_tile(&t, a, first, count);
  const position_range range = range_of(a, first, count);
  for (int64_t block = range.from / block_positions * block_positions; block < range.to; block += block_positions) {
    if (!a->sums) enter_block(&t, block);
    clip_ranges(&t, block);
    score_block(&t, form, block);
    int q = 0;
    for (; q < count; q++) {
      if (t.from[q] < t.to[q]) soften(&t, q);
    }
    for (q = 0; q + ATTENTION_QUERIES <= count; q += ATTENTION_QUERIES) weigh_block(&t, form, block, q, ATTENTION_QUERIES);
#if ATTENTION_QUERIES > 2
    for (; q + 2 <= count; q += 2) weigh_block(&t, form, block, q, 2);
#endif
    for (; q < count; q++) weigh_one(&t, form, block, q, t.from[q], t.to[q]);
  }
  end_tile(&t);
}

static void attend_f16(const ck_attention *a, int64_t first, int count) { attend_tile(a, CACHE_F16, first, count); }
static void attend_q8(const ck_attention *a, int64_t first, int count) { attend_tile(a, CACHE_Q8, first, count); }

static void attention(const ck_attention *a) {
  for (int64_t first = 0; first < a->query_count; first += tile_queries) {
    int64_t rest = a->query_count - first;
    int count = rest < tile_queries ? (int)rest : tile_queries;
    if (a->q8_keys) {
      attend_q8(a, first, count);
    } else if (a->latents) {
      attend_latents(a, first, count);
    } else {
      attend_f16(a, first, count);
    }
  }
}

// ---- storing into a Q8_0 cache --------------------------------------------------------------------------------------

// Converts 32 floats to a half-precision scale, max|x| / 127, and quants rounded to nearest even.
INLINE uint16_t quantize_32(const float *x, int8_t *quants) {
  v16 low = v_load(x), high = v_load(x + 16);
  v16 absolute_low = low < 0 ? -low : low, absolute_high = high < 0 ? -high : high;
  float greatest = v_greatest(v_max(absolute_low, absolute_high));
  float scale = greatest / 127.0f, inverse = scale > 0 ? 1.0f / scale : 0.0f;
  // Adding 1.5 * 2^23 leaves the rounded number in the low bits.
  v16i first = v_bits(low * inverse + 0x1.8p23f), second = v_bits(high * inverse + 0x1.8p23f);
  *(v16b_at *)quants = __builtin_convertvector(first, v16b);
  *(v16b_at *)(quants + 16) = __builtin_convertvector(second, v16b);
  uint16_t halves[16];
  v_store_half(halves, v_set(scale));
  return halves[0];
}

static void store_key_q8(const float *key, int64_t dim, int64_t position, uint8_t *keys) {
  uint8_t *group = keys + position / 16 * (dim / 32 * 544);
  for (int64_t i = 0; i < dim; i += 32, group += 544) {
    int8_t quants[32];
    uint16_t scale = quantize_32(key + i, quants);
    memcpy(group + position % 16 * 2, &scale, sizeof scale);
    for (int j = 0; j < 32; j++) group[32 + 16 * j + position % 16] = (uint8_t)quants[j];
  }
}

static void store_value_q8(const float *value, int64_t dim, uint8_t *out) {
  for (int64_t i = 0; i < dim; i += 32, out += 34) {
    int8_t quants[32];
    uint16_t scale = quantize_32(value + i, quants);
    memcpy(out, &scale, sizeof scale);
    memcpy(out + 2, quants, sizeof quants);
  }
}

#endif
