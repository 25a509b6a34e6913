// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The products of latent attention for LANES queries, 16 or 8, in the first lanes of a lot. Included by latent_attention_body.h, which has
// query_lanes, once for each number. CHAINS is the number of chains of fma, for different positions or elements, that the registers hold.
#define CHAINS LATENT_CHAINS(LANES)
#define NAMED_(name, lanes) name##_##lanes
#define NAMED(name, lanes) NAMED_(name, lanes)
#define VECTOR NAMED(lane_vector, LANES)

typedef float VECTOR __attribute__((ext_vector_type(LANES)));
typedef float NAMED(lanes_at, LANES) __attribute__((ext_vector_type(LANES), aligned(1), may_alias));

INLINE VECTOR NAMED(load, LANES)(const float *p) { return *(const NAMED(lanes_at, LANES) *)p; }
INLINE void NAMED(store, LANES)(float *p, VECTOR a) { *(NAMED(lanes_at, LANES) *)p = a; }

// Computes the dot products of the lanes with the first CHAINS keys of `keys`, and prefetches the keys at `next` if `fetches`.
INLINE void NAMED(score_some, LANES)(
    const query_lanes *t, const float *keys, const float *next, bool fetches, float *scores) {
  VECTOR sums[CHAINS];
  for (int i = 0; i < CHAINS; i++) sums[i] = (VECTOR)(0);
  for (int64_t d = 0; d < t->a->key_dim; d++) {
    // A prefetch cannot fail, whatever the address.
    if (fetches) __builtin_prefetch(next + 16 * d, 0, 2);
    const VECTOR x = NAMED(load, LANES)(t->queries + 16 * d);
    for (int i = 0; i < CHAINS; i++) sums[i] = __builtin_elementwise_fma(x, (VECTOR)(keys[16 * d + i]), sums[i]);
  }
  for (int i = 0; i < CHAINS; i++) NAMED(store, LANES)(scores + 16 * i, sums[i]);
}

// Computes the dot products of the lanes with the keys of a group of 16 positions, and prefetches the keys at `next` unless it is NULL.
static void NAMED(score, LANES)(const query_lanes *t, const float *keys, const float *next, float *scores) {
  if (next) {
    NAMED(score_some, LANES)(t, keys, next, true, scores);
  } else {
    NAMED(score_some, LANES)(t, keys, next, false, scores);
  }
  for (int p = CHAINS; p < 16; p += CHAINS) NAMED(score_some, LANES)(t, keys + p, next, false, scores + 16 * p);
}

// Adds the weighted values of some positions to elements e..<e + count of the outputs. Unless all queries see them, a lane leaves out
// what it does not see, because the value there may be infinite.
INLINE void NAMED(weigh_elements, LANES)(
    query_lanes *t, const float *keys, int64_t e, int count, position_range range, bool see_all) {
  VECTOR sums[CHAINS];
  for (int i = 0; i < count; i++) sums[i] = NAMED(load, LANES)(t->output + 16 * (e + i));
  const VECTOR from = NAMED(load, LANES)(t->from), to = NAMED(load, LANES)(t->to);
  for (int p = range.from; p < range.to; p++) {
    const VECTOR w = NAMED(load, LANES)(t->weights[p]);
    const float *value = keys + p / 16 * t->a->key_dim * 16 + e * 16 + p % 16;
    for (int i = 0; i < count; i++) {
      const VECTOR sum = __builtin_elementwise_fma(w, (VECTOR)(value[16 * i]), sums[i]);
      sums[i] = see_all ? sum : (float)p < from ? sums[i] : (float)p >= to ? sums[i] : sum;
    }
  }
  for (int i = 0; i < count; i++) NAMED(store, LANES)(t->output + 16 * (e + i), sums[i]);
}

INLINE void NAMED(weigh_range, LANES)(query_lanes *t, const float *keys, position_range range, bool see_all) {
  if (range.from >= range.to) return;
  int64_t e = 0;
  for (; e + CHAINS <= t->a->value_dim; e += CHAINS) NAMED(weigh_elements, LANES)(t, keys, e, CHAINS, range, see_all);
  for (; e < t->a->value_dim; e++) NAMED(weigh_elements, LANES)(t, keys, e, 1, range, see_all);
}

// Adds the weighted values of the block to the outputs.
static void NAMED(weigh, LANES)(query_lanes *t, const float *keys) {
  NAMED(weigh_range, LANES)(t, keys, (position_range){t->any.from, t->all.from}, false);
  NAMED(weigh_range, LANES)(t, keys, t->all, true);
  NAMED(weigh_range, LANES)(t, keys, (position_range){t->all.to, t->any.to}, false);
}

#undef CHAINS
#undef NAMED_
#undef NAMED
#undef VECTOR
