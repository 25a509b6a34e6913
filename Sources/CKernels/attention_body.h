// Attention over a half-precision cache with the online softmax. Included by one file per instruction set, which says how many
// queries and vectors fit its registers: ATTENTION_QUERIES and ATTENTION_VECTORS.
//
// Order, for each query by itself, whatever it is computed with:
// - score of a position: one chain of fma over the key's elements in order, times scale, then the softcap
// - positions in blocks of 64 that begin at multiples of 64. After a block's scores: m' = max(m, greatest of the block); if it
//   rose, the output and the 16 partial sums are multiplied by exp(m - m'); weights are exp(s - m')
// - partial sums: the weight of position p is added to sum p mod 16, in order; at the end the tree of v_sum
// - output: one chain of fma over the positions in order, for each element; at the end times 1 / sum
#include "CKernels.h"
#include "ops_math.h"

enum {
  block_positions = 64,
  block_groups = block_positions / 16,
  fetch_step = 16,    // elements of the keys between two requests for values
  tile_queries = 32,  // queries that go through a block of the cache together
};

// The state of the queries of a tile; their outputs so far are kept in the output itself.
typedef struct {
  const ck_attention *a;
  int64_t first;  // first query of the tile
  int count;
  float maximum[tile_queries];
  float sums[tile_queries][16];
  float weights[tile_queries][block_positions];  // first the block's scores, then exp(score - maximum)
  int from[tile_queries], to[tile_queries];      // positions of the block that each query sees; from == to: none
} attention_tile;

// While the keys of a block are read, its values are asked for; while these are read, the keys of the next block. The processor's
// own prefetching loses both at every turn. Asking does not fail, wherever the address lies.
V_INLINE void fetch(const uint16_t *from, int64_t count) {
  for (int64_t i = 0; i < count; i += 32) __builtin_prefetch(from + i, 0, 3);
}

// The values that go with fetch_step elements of the keys from element d.
V_INLINE void fetch_values(const ck_attention *a, int64_t block, int64_t d) {
  int64_t from = d * block_positions / a->key_dim, to = (d + fetch_step) * block_positions / a->key_dim;
  for (int64_t p = from; p < to && p < block_positions; p++) fetch(a->values + (block + p) * a->value_stride, a->value_dim);
}

// The next block's keys that go with 16 * ATTENTION_VECTORS elements of position p's value from element e.
V_INLINE void fetch_keys(const ck_attention *a, int64_t block, int64_t e, int p) {
  int64_t count = 16 * ATTENTION_VECTORS * a->key_dim / a->value_dim;
  fetch(a->keys + (block + block_positions) * a->key_dim + (e / 16 / ATTENTION_VECTORS * block_positions + p) * count, count);
}

// Dot products of `queries` queries from q with `groups` groups of 16 positions from g of the block that begins at `block`.
V_INLINE void score(attention_tile *t, int64_t block, int q, int queries, int g, int groups) {
  const ck_attention *a = t->a;
  const float *query = a->queries + (t->first + q) * a->query_stride;
  const uint16_t *keys = a->keys + (block / 16 + g) * a->key_dim * 16;
  v16 sums[ATTENTION_QUERIES][ATTENTION_VECTORS];
  for (int i = 0; i < queries; i++) {
    for (int j = 0; j < groups; j++) sums[i][j] = v_set(0);
  }
  int64_t d = 0;
  while (d < a->key_dim) {
    if (q == 0) fetch_values(a, block, d);
    int64_t end = a->key_dim - d < fetch_step ? a->key_dim : d + fetch_step;
    for (; d < end; d++) {
      v16 key[ATTENTION_VECTORS];
      for (int j = 0; j < groups; j++) key[j] = v_load_half(keys + (j * a->key_dim + d) * 16);
      for (int i = 0; i < queries; i++) {
        v16 x = v_set(query[i * a->query_stride + d]);
        for (int j = 0; j < groups; j++) sums[i][j] = v_fma(x, key[j], sums[i][j]);
      }
    }
  }
  for (int i = 0; i < queries; i++) {
    for (int j = 0; j < groups; j++) v_store(t->weights[q + i] + (g + j) * 16, sums[i][j]);
  }
}

// Adds the values of positions from..<to of the block, weighted, to elements e..<e + 16 * vectors of `queries` outputs from q.
V_INLINE void weigh(attention_tile *t, int64_t block, int q, int queries, int64_t e, int vectors, int from, int to) {
  const ck_attention *a = t->a;
  float *output = a->output + (t->first + q) * a->output_stride + e;
  const uint16_t *values = a->values + block * a->value_stride + e;
  v16 sums[ATTENTION_QUERIES][ATTENTION_VECTORS];
  for (int i = 0; i < queries; i++) {
    for (int j = 0; j < vectors; j++) sums[i][j] = v_load(output + i * a->output_stride + 16 * j);
  }
  for (int p = from; p < to; p++) {
    if (q == 0) fetch_keys(a, block, e, p);
    v16 value[ATTENTION_VECTORS];
    for (int j = 0; j < vectors; j++) value[j] = v_load_half(values + p * a->value_stride + 16 * j);
    for (int i = 0; i < queries; i++) {
      v16 w = v_set(t->weights[q + i][p]);
      for (int j = 0; j < vectors; j++) sums[i][j] = v_fma(w, value[j], sums[i][j]);
    }
  }
  for (int i = 0; i < queries; i++) {
    for (int j = 0; j < vectors; j++) v_store(output + i * a->output_stride + 16 * j, sums[i][j]);
  }
}

// Elements that fill no vector, for one query.
static void weigh_rest(attention_tile *t, int64_t block, int q, int64_t e, int from, int to) {
  const ck_attention *a = t->a;
  float *output = a->output + (t->first + q) * a->output_stride;
  for (; e < a->value_dim; e++) {
    for (int p = from; p < to; p++) {
      float value = v_half((const uint8_t *)(a->values + (block + p) * a->value_stride + e));
      output[e] = fmaf(t->weights[q][p], value, output[e]);
    }
  }
}

// Scores of `queries` queries from q for the block's groups g..<end.
V_INLINE void score_groups(attention_tile *t, int64_t block, int q, int queries, int g, int end) {
  for (; g + ATTENTION_VECTORS <= end; g += ATTENTION_VECTORS) score(t, block, q, queries, g, ATTENTION_VECTORS);
  for (; g < end; g++) score(t, block, q, queries, g, 1);
}

// Scores of the tile's queries for the block's groups of positions that any of them sees.
static void score_block(attention_tile *t, int64_t block) {
  int from = block_positions, to = 0;
  for (int q = 0; q < t->count; q++) {
    if (t->from[q] == t->to[q]) continue;
    from = t->from[q] < from ? t->from[q] : from;
    to = t->to[q] > to ? t->to[q] : to;
  }
  int q = 0, end = (to + 15) / 16;
  for (; q + ATTENTION_QUERIES <= t->count; q += ATTENTION_QUERIES) score_groups(t, block, q, ATTENTION_QUERIES, from / 16, end);
#if ATTENTION_QUERIES > 2
  for (; q + 2 <= t->count; q += 2) score_groups(t, block, q, 2, from / 16, end);
#endif
  for (; q < t->count; q++) score_groups(t, block, q, 1, from / 16, end);
}

// Scores of one query's positions in the block to weights; takes its maximum, sums and output along.
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
    float *output = a->output + (t->first + q) * a->output_stride;
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

// Adds the values of positions from..<to to the outputs of `queries` queries from q, all of their elements.
V_INLINE void weigh_all(attention_tile *t, int64_t block, int q, int queries, int from, int to) {
  if (from >= to) return;
  int64_t e = 0;
  for (; e + 16 * ATTENTION_VECTORS <= t->a->value_dim; e += 16 * ATTENTION_VECTORS) {
    weigh(t, block, q, queries, e, ATTENTION_VECTORS, from, to);
  }
  for (; e + 16 <= t->a->value_dim; e += 16) weigh(t, block, q, queries, e, 1, from, to);
  if (e < t->a->value_dim) {
    for (int i = 0; i < queries; i++) weigh_rest(t, block, q + i, e, from, to);
  }
}

static void weigh_one(attention_tile *t, int64_t block, int q, int from, int to) { weigh_all(t, block, q, 1, from, to); }

// Weighs the block's values for `queries` queries from q: together what all of them see, each alone what is left at either end.
// A query never touches a position it does not see, not even with weight zero: what lies there may be infinite.
V_INLINE void weigh_block(attention_tile *t, int64_t block, int q, int queries) {
  int from = 0, to = block_positions;
  for (int i = q; i < q + queries; i++) {
    from = t->from[i] > from ? t->from[i] : from;
    to = t->to[i] < to ? t->to[i] : to;
  }
  if (from >= to) {
    for (int i = q; i < q + queries; i++) weigh_one(t, block, i, t->from[i], t->to[i]);
    return;
  }
  for (int i = q; i < q + queries; i++) weigh_one(t, block, i, t->from[i], from);
  weigh_all(t, block, q, queries, from, to);
  for (int i = q; i < q + queries; i++) weigh_one(t, block, i, to, t->to[i]);
}

// The positions of the block that each query of the tile sees.
static void clip_ranges(attention_tile *t, int64_t block) {
  for (int q = 0; q < t->count; q++) {
    int64_t from = t->a->begin[t->first + q] - block, to = t->a->end[t->first + q] - block;
    t->from[q] = (int)(from < 0 ? 0 : from);
    t->to[q] = (int)(to > block_positions ? block_positions : to);
    if (t->from[q] >= t->to[q]) t->from[q] = t->to[q] = 0;
  }
}

// The sinks join the sums; divides.
static void finish(attention_tile *t) {
  const ck_attention *a = t->a;
  for (int q = 0; q < t->count; q++) {
    float *output = a->output + (t->first + q) * a->output_stride;
    float sum = v_sum(v_load(t->sums[q]));
    float factor = 1.0f;
    if (a->sinks) {
      float sink = a->sinks[t->first + q], maximum = sink > t->maximum[q] ? sink : t->maximum[q];
      factor = v_exp(v_set(t->maximum[q] - maximum))[0];
      sum = fmaf(sum, factor, v_exp(v_set(sink - maximum))[0]);
    }
    scale(output, factor / sum, a->value_dim, output);
  }
}

static void attend_tile(const ck_attention *a, int64_t first, int count) {
  attention_tile t;
  t.a = a;
  t.first = first;
  t.count = count;
  int64_t begin = INT32_MAX, end = 0;
  for (int q = 0; q < count; q++) {
    // Finite, so that a first block of infinite scores leaves no difference of infinities behind.
    t.maximum[q] = -0x1.fffffep127f;
    v_store(t.sums[q], v_set(0));
    memset(a->output + (first + q) * a->output_stride, 0, (size_t)a->value_dim * sizeof(float));
    begin = a->begin[first + q] < begin ? a->begin[first + q] : begin;
    end = a->end[first + q] > end ? a->end[first + q] : end;
  }
  for (int64_t block = begin / block_positions * block_positions; block < end; block += block_positions) {
    clip_ranges(&t, block);
    score_block(&t, block);
    int q = 0;
    for (; q < count; q++) {
      if (t.from[q] < t.to[q]) soften(&t, q);
    }
    for (q = 0; q + ATTENTION_QUERIES <= count; q += ATTENTION_QUERIES) weigh_block(&t, block, q, ATTENTION_QUERIES);
#if ATTENTION_QUERIES > 2
    for (; q + 2 <= count; q += 2) weigh_block(&t, block, q, 2);
#endif
    for (; q < count; q++) weigh_one(&t, block, q, t.from[q], t.to[q]);
  }
  finish(&t);
}

static void attention(const ck_attention *a) {
  for (int64_t first = 0; first < a->query_count; first += tile_queries) {
    int64_t rest = a->query_count - first;
    attend_tile(a, first, rest < tile_queries ? (int)rest : tile_queries);
  }
}
