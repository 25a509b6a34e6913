#include "CLinuxMemory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

int cl_open_direct(const char *path) {
  int file = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);
  return file >= 0 ? file : -errno;
}

void cl_touch(const void *start, size_t bytes, bool writing) {
  for (size_t offset = 0; offset < bytes; offset += 4096) {
    volatile char *byte = (volatile char *)start + offset;
    char value = *byte;
    if (writing) *byte = value;
  }
}

int64_t cl_read_cached(int file, void *buffer, int64_t bytes, int64_t offset) {
  struct iovec piece = {.iov_base = buffer, .iov_len = (size_t)bytes};
  int64_t count = preadv2(file, &piece, 1, offset, RWF_NOWAIT);
  return count >= 0 ? count : -errno;
}
