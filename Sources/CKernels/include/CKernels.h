// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The kernels: a table of functions for each instruction set, chosen once at the start.
//
// All of them are leaf functions. They allocate nothing, lock nothing and keep no state, and may run on any number of threads at once if
// their outputs are disjoint. Buffers named here never overlap unless a comment permits it.
//
// Every kernel gives the same bits on every instruction set. Integer sums are exact. Sums of floats are made in one order, with fused
// multiply-adds where the description says fma; the order is part of each kernel's description ("Order").
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "WeightTypes.h"

// ---- activations ----------------------------------------------------------------------------------------------------

// Columns of activations (one per token), quantised to 8 bits with one scale for 32 elements.
// x[i] ~ scales[i / 32] * quants[i]; scale = max|x| / 127 over the 32 elements; quant = x / scale rounded to nearest even, in -127…127.
// sums[i / 16] is the sum of 16 quants. k is a multiple of 32. quants is aligned to 64 bytes.
typedef struct {
  int8_t *quants;  // [columns][k]
  float *scales;   // [columns][k / 32]
  int16_t *sums;   // [columns][k / 16]
} ck_q8;

// ---- matrix multiplication ------------------------------------------------------------------------------------------

// output[c * output_stride + row] = dot(weights row `row`, activations column c), for row_begin <= row < row_end and every column.
//
// `weights` points to row 0. In the 16-row kernels, row_begin and row_end are multiples of 16, and row group g starts at
// weights + g * group bytes (group bytes as in PackFormat.InterleavedForm). In the plain kernels, row r starts at r * row bytes.
// Column c of the product reads column `column_map[c]` of the activations, or column c if column_map is NULL.
typedef struct {
  uint32_t type;               // enum wt_type
  const uint8_t *weights;
  int64_t k;                   // elements of a row
  int64_t row_begin, row_end;
  int64_t columns;
  const int32_t *column_map;   // NULL, or the activation column of each output column
  ck_q8 q8;                    // read by the kernels whose table entry `reads_q8` is set
  const float *x;              // read by the others: [columns][x_stride]
  int64_t x_stride;            // elements
  float *output;
  int64_t output_stride;       // elements
} ck_matmul;

typedef void (*ck_matmul_function)(const ck_matmul *);

// ---- attention ------------------------------------------------------------------------------------------------------

// Queries that share one head of the KV cache (the heads of its group, for one or more tokens), each over its own range of positions.
//
// keys:   F16, [position / 16][key_dim][16]: 16 positions interleaved, so that scores need no horizontal sum
// values: F16, [position][value_dim]
// or, where q8_keys is not NULL (then keys and values are not read; key_dim and value_dim are multiples of 32):
// q8_keys:   [position / 16][key_dim / 32] of 16 F16 scales and 32 times 16 quants (element by element, 16 positions each): 544 bytes
// q8_values: [position][value_dim / 32] of Q8_0 blocks as in a GGUF: an F16 scale and 32 quants, 34 bytes
// or, where latents is not NULL (latent attention):
// latents: F32, [position / 16][key_dim][16]: keys; the value of a position is the first value_dim elements of its key
// For query q over positions p in [begin[q], end[q]):
//   s[p] = scale * dot(query, key p);  softcap c > 0: s = c * tanh(s / c);  output = sum softmax(s)[p] * value p
// with sinks: exp(sinks[q] - max) joins the denominator (gpt-oss).
// The result of a query depends only on its own row, not on the queries that it is computed with.
//
// Long ranges are summed in sections, whose outputs are then joined in order, so that threads can divide the positions of one query. One
// call per section with `sums`, followed by attention_join, gives the same bits as one call over all positions.

// The greatest score of a query over some positions, and the sum of exp(score - maximum) over them.
typedef struct {
  float maximum, sum;
} ck_attention_sum;

enum { CK_ATTENTION_SECTIONS = 32 };  // the most sections that a query's positions are divided into

// Returns the positions per section, at least `shortest`, for a query that sees positions up to `end`; sections begin at multiples of it.
static inline int64_t ck_section(int64_t end, int64_t shortest) {
  int64_t length = shortest;
  while (end > CK_ATTENTION_SECTIONS * length) length *= 2;
  return length;
}

// Return that length for keys and values, and for latents. In latent attention, all query heads read the same keys. Queries are fastest
// together there, so sections are shorter: threads divide few positions too, instead of the queries.
static inline int64_t ck_attention_section(int64_t end) { return ck_section(end, 512); }
static inline int64_t ck_latent_section(int64_t end) { return ck_section(end, 64); }

typedef struct {
  const float *queries;        // [query_count][query_stride]
  int64_t query_stride, query_count;
  const int32_t *begin, *end;  // positions each query sees; begin < end, or with `sums` begin <= end: none give sum 0 and zeros
  const uint16_t *keys;
  const uint16_t *values;
  int64_t key_dim, value_dim;
  float scale, softcap;
  const float *sinks;          // NULL, or one per query
  float *output;               // [query_count][output_stride]
  int64_t output_stride;
  const uint8_t *q8_keys;
  const uint8_t *q8_values;
  const float *latents;
  // Room for the outputs of a section: min(query_count, 32) rows of value_dim; unused if no query sees two sections. With latents, room for
  // 32 * (key_dim + 2 * value_dim) elements.
  float *room;
  ck_attention_sum *sums;      // NULL, or one per query, whose positions lie in one section; the outputs are then not divided by the sums
} ck_attention;

// ---- recurrences ----------------------------------------------------------------------------------------------------

// One token's step of a linear recurrence in one head, whose state S is [key_dim][value_dim]:
//   S[i][j] *= decays ? decays[i] : decay
//   u[j] = beta * (value[j] - (corrects ? sum over i of key[i] * S[i][j] : 0))
//   S[i][j] += key[i] * u[j];  output[j] = sum over i of query[i] * S[i][j]
// With `corrects` it is the gated delta rule (https://arxiv.org/abs/2412.06464), without it the recurrence of Mamba 2
// (https://arxiv.org/abs/2405.21060, where the key is called B and the query C).
// Order: each sum is one chain of fma over i in order, from 0; S[i][j] is fma(key[i], u[j], S[i][j]).
typedef struct {
  float *state;
  int64_t key_dim, value_dim;
  const float *key, *query;    // [key_dim]
  const float *value;          // [value_dim]
  const float *decays;         // NULL, or [key_dim]
  float decay, beta;
  int32_t corrects;
  float *output;               // [value_dim]
} ck_recurrence;

// ---- the table ------------------------------------------------------------------------------------------------------

typedef struct {
  const char *name;            // "portable", "avx2", "avxvnni", "avx512", "avx512vnni", "amx", "neon", …

  // The kernels of the 16-row layouts by weight type; NULL if the type has none.
  ck_matmul_function matmul16[WT_COUNT];
  // The kernels of layout `gguf` by weight type; all read float activations.
  ck_matmul_function matmul_plain[WT_COUNT];
  // Whether matmul16[type] reads `q8` (the quantised types) or `x` (F16, BF16).
  uint8_t reads_q8[WT_COUNT];

  // Converts row `row` of rows in layout `gguf` to floats. (Rows may be interleaved, so a row has no address of its own.)
  void (*dequantize)(uint32_t type, const void *rows, int64_t row, int64_t k, float *out);
  // Converts row `row` (0…15) of a row group to floats.
  void (*dequantize16)(uint32_t type, const void *group, int64_t row, int64_t k, float *out);

  // Quantises one column: k elements to the quants, scales and sums of that column.
  void (*quantize)(const float *x, int64_t k, int8_t *quants, float *scales, int16_t *sums);

  // out = x * weight / sqrt(mean(x²) + epsilon); weight may be NULL (all ones); out may be x.
  void (*rms_norm)(const float *x, const float *weight, float epsilon, int64_t n, float *out);
  void (*add)(const float *a, const float *b, int64_t n, float *out);              // out = a + b; out may be a or b
  void (*multiply)(const float *a, const float *b, int64_t n, float *out);         // out = a * b; out may be a or b
  void (*add_scaled)(const float *a, const float *b, float s, int64_t n, float *out);  // out = fma(b, s, a); out may be a
  void (*scale)(const float *x, float s, int64_t n, float *out);                   // out = x * s; out may be x
  // Rotates the `dimensions` leading elements of one head (an even number; the rest is untouched) by cosines and sines [dimensions / 2].
  void (*rope_halves)(float *head, const float *cosines, const float *sines, int64_t dimensions);    // pairs (i, i + dimensions / 2)
  void (*rope_adjacent)(float *head, const float *cosines, const float *sines, int64_t dimensions);  // pairs (2i, 2i + 1)
  void (*softmax)(float *x, int64_t n);
  void (*center)(const float *x, int64_t n, float *out);                           // out = x - mean(x); out may be x
  void (*silu_multiply)(const float *gate, const float *up, int64_t n, float *out);   // out = gate * sigmoid(gate) * up; out may be gate
  void (*gelu_multiply)(const float *gate, const float *up, int64_t n, float *out);   // tanh form of GELU, as ggml's GEGLU
  // gpt-oss: g = min(gate, limit), u = clamp(up, ±limit), out = g * sigmoid(alpha * g) * (u + 1)
  void (*swiglu_clamped)(const float *gate, const float *up, float alpha, float limit, int64_t n, float *out);
  // Step 3.5: out = min(gate * sigmoid(gate), limit) * clamp(up, ±limit); out may be gate
  void (*swiglu_limited)(const float *gate, const float *up, float limit, int64_t n, float *out);
  // Kimi K3: out = beta * tanh(gate / beta) * sigmoid(gate) * linear * tanh(up / linear), or times up where linear is 0; out may be gate
  void (*situ_multiply)(const float *gate, const float *up, float beta, float linear, int64_t n, float *out);
  void (*logistic_multiply)(const float *x, const float *gate, int64_t n, float *out);  // out = x * sigmoid(gate); out may be x or gate
  // A causal convolution of each of n channels separately. state holds the taps - 1 inputs before x, oldest first, with `stride` elements
  // from one to the next; afterwards it ends with x. weights: [taps][stride]; bias: [n] or NULL.
  // Order: fma of the inputs in order, oldest first, starting from the bias or 0. out may be x.
  void (*convolve)(
      float *state, const float *x, const float *weights, const float *bias, int64_t taps, int64_t stride, int64_t n, float *out);
  void (*recur)(const ck_recurrence *);
  // The scores of an indexer for `positions` positions, a multiple of 16: out[p] = sum over heads of weights[h] * max(0, query h · key p).
  // queries: [heads][dim]; keys: [position / 16][dim][16]. Order: each product is one chain of fma over the elements, the sum is one chain
  // over the heads. Without weights there is one head, whose product is the score: out[p] = query · key p.
  void (*index)(
      const float *queries, const float *weights, int64_t heads, int64_t dim, const float *keys, int64_t positions, float *out);
  // Copy the keys and values, or the latents (as in ck_attention), of the `count` listed positions to positions 0, 1, …; the rest of the
  // last group of 16 becomes 0.
  void (*gather)(
      const int32_t *list, int64_t count, const uint16_t *keys, int64_t key_dim, const uint16_t *values, int64_t value_dim,
      uint16_t *out_keys, uint16_t *out_values);
  void (*gather_latents)(const int32_t *list, int64_t count, const float *latents, int64_t dim, float *out);
  void (*attention)(const ck_attention *);
  // Joins the outputs of a query's sections, in order. sink: NULL, or the query's.
  void (*attention_join)(
      const float *outputs, const ck_attention_sum *sums, int64_t sections, int64_t value_dim, const float *sink, float *out);
  void (*to_f16)(const float *x, int64_t n, uint16_t *out);
  void (*from_f16)(const uint16_t *x, int64_t n, float *out);
  // Stores one position's key into the interleaved cache: keys[(p / 16) * dim * 16 + i * 16 + p % 16].
  void (*store_key)(const float *key, int64_t dim, int64_t position, uint16_t *keys);
  void (*store_latent)(const float *latent, int64_t dim, int64_t position, float *latents);
  // The same for a Q8_0 cache: stores one position's key into q8_keys, and a value of dim elements as dim / 32 blocks at out.
  void (*store_key_q8)(const float *key, int64_t dim, int64_t position, uint8_t *keys);
  void (*store_value_q8)(const float *value, int64_t dim, uint8_t *out);
} ck_table;

// Returns the best table that this CPU can run, or the one with that name (NULL or "auto" for the best); NULL if there is none with that
// name or the CPU lacks its instructions.
const ck_table *ck_select(const char *name);

// Returns the names of the tables that this CPU can run, best first, ended by NULL.
const char *const *ck_available(void);

// ---- repacking ------------------------------------------------------------------------------------------------------

// Interleaves the units of 16 rows: out[u * 16 + r] = unit u of row r, for u < units. Row r starts at rows + r * row_stride.
// unit_bits is 4, 8, 16 or 32; with 4, units is even in the source, and the low half of a byte comes first on both sides.
// Each output byte is combined with flip by exclusive or. ck_separate is the inverse.
void ck_interleave(const uint8_t *rows, int64_t row_stride, int64_t units, int unit_bits, uint8_t flip, uint8_t *out);
void ck_separate(const uint8_t *in, int64_t units, int unit_bits, uint8_t flip, uint8_t *rows, int64_t row_stride);

// Converts rows of k elements of a type that interleaves the blocks of several rows to rows of its base type, and back. Both forms have the
// same size. `rows` is a multiple of the type's group_rows.
void ck_ungroup_rows(uint32_t type, const uint8_t *groups, int64_t rows, int64_t k, uint8_t *out);
void ck_group_rows(uint32_t type, const uint8_t *in, int64_t rows, int64_t k, uint8_t *groups);

#endif
