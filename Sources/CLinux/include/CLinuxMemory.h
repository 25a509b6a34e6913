// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Memory advice that older C libraries do not name, with the kernel's numbers, and other calls about memory.
#ifndef CLINUX_MEMORY_H
#define CLINUX_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  CL_MADV_NORMAL = 0,
  CL_MADV_RANDOM = 1,
  CL_MADV_HUGEPAGE = 14,
  CL_MADV_POPULATE_READ = 22,
  CL_MADV_POPULATE_WRITE = 23,
  CL_MADV_COLLAPSE = 25,
};

enum {
  CL_MAP_HUGETLB = 0x40000,
  CL_MAP_HUGE_2MB = 21 << 26,
};

// Reads what the page cache holds of the file at `offset`, without waiting for the disk and without reading ahead. Returns the number of
// bytes read, or -errno (EAGAIN: the first byte is not cached; EOPNOTSUPP: the filesystem cannot tell).
int64_t cl_read_cached(int file, void *buffer, int64_t bytes, int64_t offset);

// Touches every page of a range, so that the kernel provides it. With `writing`, it replaces one byte of each page by itself.
void cl_touch(const void *start, size_t bytes, bool writing);

// Returns the number of page faults that the calling thread has taken so far.
int64_t cl_thread_faults(void);

// Returns whether the kernel's version is at least major.minor; false if it does not say.
bool cl_kernel_is_at_least(int major, int minor);

// Returns how many bytes this process may lock; -1 means any number.
int64_t cl_lock_limit(void);

// Creates a file of `bytes` zeros that lies in memory and has no name in any folder. Other processes find it by its descriptor under /proc,
// where its link contains `name`. It disappears with its last descriptor and mapping. Returns the descriptor, or -errno.
int cl_memory_file(const char *name, int64_t bytes);

#endif
