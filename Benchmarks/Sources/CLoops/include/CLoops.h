// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The loops that the kernels are compared with, and the stopwatch.
#ifndef CLOOPS_H
#define CLOOPS_H

#include <stdint.h>

// Starts `threads` threads together, each on a CPU of its own. Returns the greatest CPU time among them, in seconds. Thread i runs
// work(context, i, threads).
double timed(int threads, void (*work)(void *context, int thread, int threads), void *context);

// Reads every byte of memory, one 64-byte line at a time, front to back. Thread i reads the i-th of equal parts.
typedef struct {
  const uint8_t *bytes;  // aligned to 64
  int64_t count;         // a multiple of 64
} memory;
void read_memory(void *memory, int thread, int threads);

// A chain of dependent additions that takes this many clock cycles, one per addition. `timed` measures it to determine the clock rate.
enum { chain_cycles = 40 * 1000 * 1000 };
void run_chain(void *unused, int thread, int threads);

// Straightforward attention, compiled as ordinary C, for comparison with the kernels. Query q sees positions 0..<first_end + q / group;
// keys and values are [positions][dim].
typedef struct {
  const float *query, *keys, *values;
  float *output;
  int64_t queries, group, dim, positions, first_end;
  float scale;
} naive_problem;

void naive_attention(const naive_problem *problem);

#endif
