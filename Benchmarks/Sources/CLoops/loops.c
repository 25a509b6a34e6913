// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "CLoops.h"

enum { most_threads = 256 };

typedef struct {
  void (*work)(void *, int, int);
  void *context;
  int threads, index;
  const cpu_set_t *allowed;
  atomic_int *ready;
  double seconds;
} runner;

// The calling thread's CPU time, which does not include the time of other programs.
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Binds the calling thread to the index-th of the CPUs that the process may use.
static void pin(const cpu_set_t *allowed, int index) {
  index %= CPU_COUNT(allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, allowed) || index-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    return;
  }
}

static void *run(void *argument) {
  runner *r = argument;
  pin(r->allowed, r->index);
  atomic_fetch_add(r->ready, 1);
  while (atomic_load(r->ready) < r->threads) sched_yield();
  const double start = now();
  r->work(r->context, r->index, r->threads);
  r->seconds = now() - start;
  return NULL;
}

double timed(int threads, void (*work)(void *, int, int), void *context) {
  static runner runners[most_threads];
  pthread_t handles[most_threads];
  atomic_int ready = 0;
  cpu_set_t allowed;
  if (threads > most_threads) threads = most_threads;
  sched_getaffinity(0, sizeof allowed, &allowed);
  for (int i = 0; i < threads; i++) {
    runners[i] = (runner){work, context, threads, i, &allowed, &ready, 0};
    if (pthread_create(&handles[i], NULL, run, &runners[i]) != 0) return -1;
  }
  double seconds = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(handles[i], NULL);
    if (runners[i].seconds > seconds) seconds = runners[i].seconds;
  }
  return seconds;
}

typedef uint64_t line __attribute__((vector_size(64)));

#if defined(__x86_64__)
__attribute__((target_clones("default", "avx2", "avx512f")))
#endif
static uint64_t sum_of(const uint8_t *bytes, int64_t count) {
  line a = {0}, b = {0}, c = {0}, d = {0};
  const line *lines = (const line *)(const void *)bytes;
  int64_t i = 0, n = count / 64;
  for (; i + 4 <= n; i += 4) {
    a += lines[i];
    b += lines[i + 1];
    c += lines[i + 2];
    d += lines[i + 3];
  }
  for (; i < n; i++) a += lines[i];
  a += b + c + d;
  uint64_t sum = 0;
  for (int j = 0; j < 8; j++) sum += a[j];
  return sum;
}

static _Atomic uint64_t kept;

void read_memory(void *context, int thread, int threads) {
  const memory *m = context;
  const int64_t lines = m->count / 64, begin = lines * thread / threads, end = lines * (thread + 1) / threads;
  atomic_fetch_add(&kept, sum_of(m->bytes + begin * 64, (end - begin) * 64));
}

void run_chain(void *unused, int thread, int threads) {
  (void)unused, (void)thread, (void)threads;
  uint64_t x = 1, y = 3;
  for (int i = 0; i < chain_cycles / 40; i++) {
    // Additions between registers: the decoder may fold additions of constants, but not these.
#define FOUR(op) op op op op
#if defined(__x86_64__)
#define ADD "add %1, %0\n"
#else
#define ADD "add %0, %0, %1\n"
#endif
    __asm__ volatile(FOUR(FOUR(ADD)) FOUR(FOUR(ADD)) FOUR(ADD) FOUR(ADD) : "+r"(x) : "r"(y));
  }
  atomic_fetch_add(&kept, x);
}
