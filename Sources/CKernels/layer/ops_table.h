// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// All bodies in order, and the function that enters them into a table. Included by one file per instruction set. The numbers of
// accumulators fit the registers: OPS_WIDE means that there are 32 registers of 64 bytes.
#ifdef OPS_WIDE
#define ATTENTION_QUERIES 4
#define ATTENTION_VECTORS 4
#define LATENT_CHAINS(lanes) 16
#define PLAIN_ROWS 4
#define PLAIN_COLUMNS 4
#else
#define ATTENTION_QUERIES 2
#define ATTENTION_VECTORS 2
#define LATENT_CHAINS(lanes) (64 / (lanes))
#define PLAIN_ROWS 2
#define PLAIN_COLUMNS 2
#endif

#include "../ground/halves.h"
#include "../plain/dequantize_body.h"
#include "../plain/matmul_plain_body.h"
#include "attention_body.h"
#include "ops_body.h"
#include "recurrence_body.h"
#include "choice_body.h"

static void fill(ck_table *table) {
  for (int type = 0; type < WT_COUNT; type++) table->matmul_plain[type] = wt_types[type].elements != 0 ? matmul_plain : NULL;
  table->dequantize = dequantize;
  table->rms_norm = rms_norm;
  table->add = add;
  table->multiply = multiply;
  table->add_scaled = add_scaled;
  table->scale = scale;
  table->rope_halves = rope_halves;
  table->rope_adjacent = rope_adjacent;
  table->softmax = softmax;
  table->silu_multiply = silu_multiply;
  table->gelu_multiply = gelu_multiply;
  table->center = center;
  table->swiglu_clamped = swiglu_clamped;
  table->swiglu_limited = swiglu_limited;
  table->situ_multiply = situ_multiply;
  table->logistic_multiply = logistic_multiply;
  table->convolve = convolve;
  table->recur = recur;
  table->index = index_positions;
  table->gather = gather;
  table->gather_latents = gather_latents;
  table->attention = attention;
  table->attention_join = attention_join;
  table->to_f16 = to_f16;
  table->from_f16 = from_f16;
  table->store_key = store_key;
  table->store_latent = store_latent;
  table->store_key_q8 = store_key_q8;
  table->store_value_q8 = store_value_q8;
}
