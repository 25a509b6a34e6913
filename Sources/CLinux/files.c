// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "CLinuxFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int cl_exchange(const char *a, const char *b) {
  return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0 ? 0 : errno;
}

int64_t cl_free_bytes(int file) {
  struct statvfs s;
  return fstatvfs(file, &s) == 0 ? (int64_t)(s.f_bavail * s.f_frsize) : -1;
}

int cl_lock(int file) { return flock(file, LOCK_EX | LOCK_NB) == 0 ? 0 : errno; }

int cl_reserve(int file, int64_t bytes) {
  if (bytes == 0) return 0;
  if (fallocate(file, 0, 0, bytes) == 0) return 0;
  if (errno != EOPNOTSUPP) return errno;
  // A filesystem that cannot reserve tells of its lack of space only while it is written to.
  return ftruncate(file, bytes) == 0 ? 0 : errno;
}

int cl_synchronize(int file) { return fsync(file) == 0 ? 0 : errno; }

int cl_sync_folder(const char *path) {
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return errno;
  int error = fsync(folder) == 0 ? 0 : errno;
  close(folder);
  return error;
}

int64_t cl_allocated_bytes(const char *path) {
  struct stat s;
  return lstat(path, &s) == 0 ? (int64_t)s.st_blocks * 512 : 0;
}
