// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The product of one column: weights are unpacked and multiplied in registers, front to back.
#ifndef CKERNELS_ONE_COLUMN_H
#define CKERNELS_ONE_COLUMN_H

#include "sums.h"
#include "unpack16.h"

INLINE v16 add_block_of_one(uint32_t type, v16 acc, block16 block, int block_s, const column_chunk *column, int s) {
  const uint32_t kind = kind_of(type);
  const scales16 scales = unpack_scales(type, block, block_s);
  const grid_points points = unpack_points(type, block, block_s);
  part p = {};
  UNROLL
  for (int l = 0; l < 8; l++) {
    if (l % lines_of_sum(kind) == 0) p = part_start(kind, p, start_at(kind, column, s, l), l / 4, scales.sub);
    p = part_add(kind, p, unpack_line(type, block, &points, block_s, l), line_broadcast(column->quants + 32 * s + 4 * l), l, scales.sub);
  }
  return add_products(kind, acc, p, scales.scale, scales.min, column, s);
}

// ---- getting weights from memory in time ----------------------------------------------------------------------------

// Unpacking leaves few loads in flight at a time, so prefetching decides how fast weights arrive. docs/KERNELS.md has the figures.
typedef enum {
  UNAIDED,  // no help: the prefetching of AMD's CPUs follows loads that go front to back
  ASKED,    // by prefetches, AHEAD bytes ahead
  WALKED,   // before a chunk is unpacked, one instruction reads a word of each of its cache lines, front to back
} fetching;

#define AHEAD 3072

// Returns how AVX-512 gets weights on AMD's CPUs. All others use ASKED.
INLINE fetching fetching_of(uint32_t type) {
  const wt_facts *t = &wt_types[type];
  // Lines that need no unpacking consist of loads only.
  if (t->bytes > t->elements) return ASKED;
  // These CPUs do not follow loads that alternate between the planes of a block (the four low bits of Q6_K and its two high ones).
  return t->elements == 256 && t->body[1].bytes != 0 ? WALKED : UNAIDED;
}

// Prefetches bytes begin to end of what lies AHEAD bytes after a chunk. Addresses beyond the weights do no harm.
INLINE void ask_ahead(const uint8_t *chunk, int64_t begin, int64_t end) {
  for (int64_t at = round_up_64(begin); at < end; at += 64) __builtin_prefetch(chunk + AHEAD + at);
}

// Reads the cache lines from `from` up to `to`, and returns the first that was not read. Unrolled, or made of prefetches, it would be half
// as fast.
INLINE const uint8_t *walk(const uint8_t *from, const uint8_t *to) {
  ONCE
  for (; from < to; from += 64) {
    const uint64_t word = *(const uint64_t *)from;
    __asm__ volatile("" ::"r"(word));
  }
  return from;
}

INLINE void multiply_one(uint32_t type, fetching how, const ck_matmul *m) {
  const int64_t group_bytes = layout16_group_bytes(layout16_of(type), m->k), blocks = m->k / 32, chunks = blocks / CHUNK;
  const int64_t column = source_of(m, 0);
  const int rest = (int)(blocks % CHUNK);
  const int64_t headers_bytes = layout16_of(type).headers_bytes;
  const int64_t chunk_bytes = (layout16_group_bytes(layout16_of(type), 512) - headers_bytes) / 2;
  const int64_t rest_bytes = rest == 0 ? 0 : (group_bytes - headers_bytes - chunks * chunk_bytes) / rest;
  const bool large = layout16_of(type).block_elements == 256;
  for (int64_t row = m->row_begin; row < m->row_end; row += 16) {
    const uint8_t *group = m->weights + row / 16 * group_bytes;
    v16 acc = v_set(0);
    column_chunk x;
    const uint8_t *walked = group;
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
      if (how == WALKED) walked = walk(walked, block16_at(layout16_of(type), group, m->k, chunk).body + layout16_of(type).body_bytes);
      prepare(kind_of(type), m, column, chunk * CHUNK, CHUNK, &x);
      UNROLL
      for (int s = 0; s < CHUNK; s++) {
        if (how == ASKED) ask_ahead(group + chunk * chunk_bytes, s * chunk_bytes / CHUNK, (s + 1) * chunk_bytes / CHUNK);
        acc = add_block_of_one(type, acc, chunk_block(type, m, group, chunk, s, CHUNK), s % runs_of_block(type), &x, s);
      }
    }
    if (!large && rest != 0) {
      prepare(kind_of(type), m, column, chunks * CHUNK, rest, &x);
      ONCE
      for (int s = 0; s < rest; s++) {
        if (how == ASKED) ask_ahead(group + chunks * chunk_bytes, s * rest_bytes, (s + 1) * rest_bytes);
        acc = add_block_of_one(type, acc, chunk_block(type, m, group, chunks, s, rest), s % runs_of_block(type), &x, s);
      }
    }
    v_store(m->output + row, acc);
  }
}

// AVX-512 has the loop of most types twice, because a condition within it costs Zen 4 some per cent.
INLINE void matmul_one(uint32_t type, const ck_matmul *m) {
  if (ASKS_AHEAD || fetching_of(type) == ASKED) return multiply_one(type, ASKED, m);
  multiply_one(type, fetching_of(type), m);
}

#endif
