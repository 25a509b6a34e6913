// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Pinned threads, and the barriers at which they meet.
#ifndef CLINUX_THREADS_H
#define CLINUX_THREADS_H

#include <stdint.h>

// ---- affinity -------------------------------------------------------------------------------------------------------

// Pins the calling thread to one CPU. Returns 0 or an errno (EINVAL: the CPU is offline or outside the cpuset).
int cl_pin(int cpu);

// Binds the calling thread, and those that it starts from now on, to `count` CPUs. Returns 0 or an errno.
int cl_bind_to_cpus(const int32_t *cpus, int count);

// Writes the CPUs on which the calling thread may run, in ascending order and at most `capacity`. Returns their number, or -errno.
int cl_affinity(int32_t *cpus, int capacity);

// ---- barriers -------------------------------------------------------------------------------------------------------

// A barrier. The words that waiting threads read lie on one cache line of the waiters' node; the arrivals, which every thread writes, on
// another. It must be allocated at a multiple of 64 bytes.
//
// A waiting thread first spins (the others are microseconds away), then yields its CPU between looks (another thread may need it to get
// there), then sleeps in a futex (the others will take long).
typedef struct cl_barrier {
  uint32_t generation;               // how often all have met, modulo 2^32
  uint32_t sleepers;
  uint32_t parties;
  uint32_t spin_microseconds;        // 0 where threads outnumber the CPUs: yield at once
  uint32_t yield_microseconds;
  struct cl_barrier *parent;         // where the last to arrive here goes on to wait for the other teams; NULL at the root
  uint8_t padding[64 - 5 * sizeof(uint32_t) - 4 - sizeof(void *)];
  uint32_t arrived;
  uint8_t padding_of_arrived[60];
} cl_barrier;

_Static_assert(sizeof(cl_barrier) == 128, "two cache lines");

// Initialises a barrier for `parties` threads (or teams, for a parent).
void cl_barrier_init(cl_barrier *barrier, uint32_t parties, cl_barrier *parent, uint32_t spin_microseconds, uint32_t yield_microseconds);

// Returns when all parties (and with a parent, all parties of all its children) have called it as often as this thread. What any of them
// wrote before is then visible to all.
void cl_barrier_wait(cl_barrier *barrier);

// ---- shares ---------------------------------------------------------------------------------------------------------

// A count of the items of some work that threads have taken. It lies on a cache line of its own and must be allocated at a multiple of 64
// bytes.
typedef struct {
  int64_t taken;
  uint8_t padding[56];
} cl_tally;

// Takes the next item and returns its number. It orders no memory; the barriers around the work do.
static inline int64_t cl_tally_take(cl_tally *tally) { return __atomic_fetch_add(&tally->taken, 1, __ATOMIC_RELAXED); }

// Takes the next part of what is left of `total` items: 1 of `parts` parts, but at least one item and at most `most`. Sets `count` to its
// size, 0 if nothing is left, and returns the number of its first item.
static inline int64_t cl_tally_take_part(cl_tally *tally, int64_t total, int64_t parts, int64_t most, int64_t *count) {
  int64_t begin = __atomic_load_n(&tally->taken, __ATOMIC_RELAXED);
  do {
    const int64_t left = total - begin, part = left / parts < most ? left / parts : most;
    *count = left <= 0 ? 0 : part > 0 ? part : 1;
    if (*count == 0) return begin;
  } while (!__atomic_compare_exchange_n(&tally->taken, &begin, begin + *count, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return begin;
}

// Resets the tally. One thread calls it, between barriers that no thread passes while it takes from the tally.
static inline void cl_tally_clear(cl_tally *tally) { __atomic_store_n(&tally->taken, 0, __ATOMIC_RELAXED); }

// ---- a signal -------------------------------------------------------------------------------------------------------

// A counter that one thread raises and others wait for, in the same three ways. It must be allocated at a multiple of 64 bytes.
typedef struct {
  uint32_t count;
  uint32_t sleepers;
  uint8_t padding[56];
} cl_signal;

// Raises the counter by one and wakes the waiting threads, which then see what was written before.
void cl_signal_raise(cl_signal *signal);

// Waits until the counter differs from `seen`, and returns its value.
uint32_t cl_signal_wait(cl_signal *signal, uint32_t seen, uint32_t spin_microseconds, uint32_t yield_microseconds);

#endif
