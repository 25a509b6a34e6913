// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "CLinuxFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
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
  // A filesystem that cannot reserve reports its lack of space only while it is written to.
  return errno == EOPNOTSUPP ? 0 : errno;
}
