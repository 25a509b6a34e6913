// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "CLinuxFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int cl_open_at(int folder, const char *name, int flags, uint32_t permissions) {
  int file = openat(folder, name, flags, (mode_t)permissions);
  return file >= 0 ? file : -errno;
}

int cl_open_direct(const char *path) { return cl_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NONBLOCK, 0); }

int cl_exchange(int folder, const char *name, int other_folder, const char *other) {
  return renameat2(folder, name, other_folder, other, RENAME_EXCHANGE) == 0 ? 0 : errno;
}

int cl_lock(int file) { return flock(file, LOCK_EX | LOCK_NB) == 0 ? 0 : errno; }

int cl_reserve(int file, int64_t bytes) {
  if (bytes == 0 || fallocate(file, 0, 0, bytes) == 0) return 0;
  // A filesystem that cannot reserve reports lack of space only when it is written to.
  return errno == EOPNOTSUPP ? 0 : errno;
}

int64_t cl_cached_bytes(int file, int64_t bytes) {
  // cachestat, since Linux 6.5, has the same number on all architectures.
  struct { uint64_t offset, bytes; } range = {0, (uint64_t)bytes};
  struct { uint64_t cached, dirty, writeback, evicted, recently_evicted; } counts;
  const int64_t page = sysconf(_SC_PAGESIZE);
  if (bytes == 0) return 0;
  if (syscall(451, file, &range, &counts, 0) == 0) return (int64_t)counts.cached * page;
  enum { WINDOW = 64 << 20 };
  unsigned char *present = malloc(WINDOW / (size_t)page);
  int64_t cached = present ? 0 : -1;
  for (int64_t start = 0; cached >= 0 && start < bytes; start += WINDOW) {
    size_t length = (size_t)(bytes - start < WINDOW ? bytes - start : WINDOW);
    void *memory = mmap(NULL, length, PROT_READ, MAP_SHARED, file, start);
    if (memory == MAP_FAILED) {
      cached = -1;
      break;
    }
    if (mincore(memory, length, present) != 0) {
      cached = -1;
    } else {
      for (size_t i = 0; i < (length + (size_t)page - 1) / (size_t)page; i++) cached += present[i] & 1 ? page : 0;
    }
    munmap(memory, length);
  }
  free(present);
  return cached;
}
