// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "CLinuxMemory.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

void cl_touch(const void *start, size_t bytes, bool writing) {
  for (size_t offset = 0; offset < bytes; offset += 4096) {
    volatile char *byte = (volatile char *)start + offset;
    char value = *byte;
    if (writing) *byte = value;
  }
}

int64_t cl_thread_faults(void) {
  struct rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_minflt + usage.ru_majflt : 0;
}

bool cl_kernel_is_at_least(int major, int minor) {
  struct utsname system;
  int first = 0, second = 0;
  if (uname(&system) != 0 || sscanf(system.release, "%d.%d", &first, &second) != 2) return false;
  return first > major || (first == major && second >= minor);
}

int64_t cl_lock_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return -1;
  return (int64_t)limit.rlim_cur;
}

int64_t cl_read_cached(int file, void *buffer, int64_t bytes, int64_t offset) {
  struct iovec piece = {.iov_base = buffer, .iov_len = (size_t)bytes};
  int64_t count = preadv2(file, &piece, 1, offset, RWF_NOWAIT);
  return count >= 0 ? count : -errno;
}

int cl_memory_file(const char *name, int64_t bytes) {
  int file = memfd_create(name, MFD_CLOEXEC);
  if (file < 0) return -errno;
  if (ftruncate(file, bytes) == 0) return file;
  int error = errno;
  close(file);
  return -error;
}
