// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "CLinuxThreads.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Room for more CPUs than any kernel supports, because sched_getaffinity refuses a set smaller than the kernel's.
enum { CPU_CAPACITY = 16384 };

int cl_pin(int cpu) {
  cpu_set_t *set = CPU_ALLOC(CPU_CAPACITY);
  if (!set) return ENOMEM;
  size_t size = CPU_ALLOC_SIZE(CPU_CAPACITY);
  CPU_ZERO_S(size, set);
  int error = EINVAL;
  if (cpu >= 0 && cpu < CPU_CAPACITY) {
    CPU_SET_S(cpu, size, set);
    error = sched_setaffinity(0, size, set) == 0 ? 0 : errno;
  }
  CPU_FREE(set);
  return error;
}

int cl_bind_to_cpus(const int32_t *cpus, int count) {
  cpu_set_t *set = CPU_ALLOC(CPU_CAPACITY);
  if (!set) return ENOMEM;
  size_t size = CPU_ALLOC_SIZE(CPU_CAPACITY);
  CPU_ZERO_S(size, set);
  for (int i = 0; i < count; i++)
    if (cpus[i] >= 0 && cpus[i] < CPU_CAPACITY) CPU_SET_S(cpus[i], size, set);
  int error = sched_setaffinity(0, size, set) == 0 ? 0 : errno;
  CPU_FREE(set);
  return error;
}

int cl_affinity(int32_t *cpus, int capacity) {
  cpu_set_t *set = CPU_ALLOC(CPU_CAPACITY);
  if (!set) return -ENOMEM;
  size_t size = CPU_ALLOC_SIZE(CPU_CAPACITY);
  CPU_ZERO_S(size, set);
  int count = 0;
  if (sched_getaffinity(0, size, set) != 0) {
    count = -errno;
  } else {
    for (int cpu = 0; cpu < CPU_CAPACITY && count < capacity; cpu++)
      if (CPU_ISSET_S(cpu, size, set)) cpus[count++] = cpu;
  }
  CPU_FREE(set);
  return count;
}

// ---- waiting --------------------------------------------------------------------------------------------------------

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

static uint64_t microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool differs(const uint32_t *word, uint32_t seen) { return __atomic_load_n(word, __ATOMIC_ACQUIRE) != seen; }

// Waits until *word differs from `seen`. A sleeper counts itself before its last look, and the thread that changes the word looks for
// sleepers afterwards. Both are sequentially consistent, so at least one of the two sees the other.
static void wait_for_change(uint32_t *word, uint32_t *sleepers, uint32_t seen, uint32_t spin, uint32_t yield) {
  if (differs(word, seen)) return;
  uint64_t start = microseconds();
  for (uint64_t now = start; now - start < spin; now = microseconds())
    for (int i = 0; i < 32; i++) {
      if (differs(word, seen)) return;
      relax();
    }
  for (uint64_t now = start; now - start < (uint64_t)spin + yield; now = microseconds()) {
    if (differs(word, seen)) return;
    sched_yield();
  }
  __atomic_fetch_add(sleepers, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == seen)
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
  __atomic_fetch_sub(sleepers, 1, __ATOMIC_SEQ_CST);
}

static void wake(uint32_t *word, uint32_t *sleepers) {
  if (__atomic_load_n(sleepers, __ATOMIC_SEQ_CST) != 0) syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

void cl_barrier_init(cl_barrier *barrier, uint32_t parties, cl_barrier *parent, uint32_t spin, uint32_t yield) {
  *barrier = (cl_barrier){.parties = parties, .parent = parent, .spin_microseconds = spin, .yield_microseconds = yield};
}

void cl_barrier_wait(cl_barrier *barrier) {
  // This must be read before arriving: afterwards the last thread may already have begun the next generation.
  uint32_t seen = __atomic_load_n(&barrier->generation, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) != barrier->parties) {
    wait_for_change(&barrier->generation, &barrier->sleepers, seen, barrier->spin_microseconds, barrier->yield_microseconds);
    return;
  }
  if (barrier->parent) cl_barrier_wait(barrier->parent);
  // No thread can arrive for the next generation before it begins.
  __atomic_store_n(&barrier->arrived, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&barrier->generation, seen + 1, __ATOMIC_SEQ_CST);
  wake(&barrier->generation, &barrier->sleepers);
}

void cl_signal_raise(cl_signal *signal) {
  __atomic_fetch_add(&signal->count, 1, __ATOMIC_SEQ_CST);
  wake(&signal->count, &signal->sleepers);
}

uint32_t cl_signal_wait(cl_signal *signal, uint32_t seen, uint32_t spin, uint32_t yield) {
  wait_for_change(&signal->count, &signal->sleepers, seen, spin, yield);
  return __atomic_load_n(&signal->count, __ATOMIC_ACQUIRE);
}
