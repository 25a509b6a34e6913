// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "CLinuxReading.h"

#include <stdbool.h>
#include <string.h>

typedef uint64_t v64 __attribute__((vector_size(64)));
typedef uint64_t v32 __attribute__((vector_size(32)));
typedef uint64_t v16 __attribute__((vector_size(16)));

typedef struct {
  const char *name;
  uint64_t (*run)(const char *, size_t);
  bool (*works)(void);
} reading;

// A loop over `PLACES` parts of the memory in turn, 256 bytes of each at a time, with four chains of additions. `ASK` prefetches each
// 64-byte line that lies `AHEAD` bytes further on; a prefetch beyond the end does no harm.
#define READING(NAME, ATTRIBUTES, V, PLACES, ASK, AHEAD)                                     \
  ATTRIBUTES static uint64_t NAME(const char *start, size_t bytes) {                         \
    V a = {0}, b = {0}, c = {0}, d = {0};                                                    \
    const size_t part = bytes / (PLACES) / 256 * 256;                                        \
    for (size_t i = 0; i < part; i += 256)                                                   \
      for (size_t place = 0; place < (PLACES); place++) {                                    \
        const char *p = start + place * part + i;                                            \
        for (size_t line = 0; line < 256; line += 64) ASK(p + line + (AHEAD));               \
        for (size_t k = 0; k < 256; k += 4 * sizeof(V)) {                                    \
          const V *v = (const V *)(p + k);                                                   \
          a += v[0]; b += v[1]; c += v[2]; d += v[3];                                        \
        }                                                                                    \
      }                                                                                      \
    a += b + c + d;                                                                          \
    uint64_t sum;                                                                            \
    memcpy(&sum, &a, sizeof sum);                                                            \
    return sum;                                                                              \
  }

#define NOTHING(address) ((void)0)
#define NEAREST(address) __builtin_prefetch(address, 0, 3)
#define SECOND(address) __builtin_prefetch(address, 0, 2)
#define PASSING(address) __builtin_prefetch(address, 0, 0)

static bool always(void) { return true; }

READING(narrow, , v16, 1, NOTHING, 0)
READING(narrow_second, , v16, 1, SECOND, 4096)
READING(narrow_4_nearest, , v16, 4, NEAREST, 1024)

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f")))
READING(middle, AVX2, v32, 1, NOTHING, 0)
READING(middle_nearest, AVX2, v32, 1, NEAREST, 4096)
READING(middle_second, AVX2, v32, 1, SECOND, 4096)
READING(middle_4_second, AVX2, v32, 4, SECOND, 1024)
READING(middle_8_second, AVX2, v32, 8, SECOND, 1024)
READING(wide, AVX512, v64, 1, NOTHING, 0)
READING(wide_second, AVX512, v64, 1, SECOND, 8192)
READING(wide_far, AVX512, v64, 1, SECOND, 16384)
READING(wide_passing, AVX512, v64, 1, PASSING, 8192)
READING(wide_8_second, AVX512, v64, 8, SECOND, 4096)

static bool avx2(void) { return __builtin_cpu_supports("avx2"); }
static bool avx512(void) { return __builtin_cpu_supports("avx512f"); }
#endif

// The widest loop comes first, so that it is the one named among equally fast ones.
static const reading readings[] = {
#if defined(__x86_64__)
  {"512 bits, 1 place, prefetcht1 16384 ahead", wide_far, avx512},
  {"512 bits, 1 place, prefetcht1 8192 ahead", wide_second, avx512},
  {"512 bits, 8 places, prefetcht1 4096 ahead", wide_8_second, avx512},
  {"512 bits, 1 place, prefetchnta 8192 ahead", wide_passing, avx512},
  {"512 bits, 1 place, nothing asked ahead", wide, avx512},
  {"256 bits, 8 places, prefetcht1 1024 ahead", middle_8_second, avx2},
  {"256 bits, 4 places, prefetcht1 1024 ahead", middle_4_second, avx2},
  {"256 bits, 1 place, prefetcht1 4096 ahead", middle_second, avx2},
  {"256 bits, 1 place, prefetcht0 4096 ahead", middle_nearest, avx2},
  {"256 bits, 1 place, nothing asked ahead", middle, avx2},
#endif
  {"128 bits, 1 place, second cache 4096 ahead", narrow_second, always},
  {"128 bits, 4 places, first cache 1024 ahead", narrow_4_nearest, always},
  {"128 bits, 1 place, nothing asked ahead", narrow, always},
};

enum { COUNT = sizeof readings / sizeof readings[0] };

static const reading *find(int loop) {
  for (int i = 0; i < COUNT; i++)
    if (readings[i].works() && loop-- == 0) return readings + i;
  return readings + COUNT - 1;
}

int cl_reading_count(void) {
  int count = 0;
  for (int i = 0; i < COUNT; i++) count += readings[i].works();
  return count;
}

const char *cl_reading_name(int loop) { return find(loop)->name; }

uint64_t cl_reading_run(int loop, const void *start, size_t bytes) { return find(loop)->run(start, bytes); }
