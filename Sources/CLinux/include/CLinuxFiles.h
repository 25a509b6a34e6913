// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// File operations that Glibc's Swift module hides.
#ifndef CLINUX_FILES_H
#define CLINUX_FILES_H

#include <stdint.h>

// Opens `name` of an open folder (AT_FDCWD: of the current one). The descriptor, or -errno.
int cl_open_at(int folder, const char *name, int flags, uint32_t permissions);

// Opens a file for reads past the page cache. The descriptor, or -errno (EINVAL: the filesystem has no such reads).
int cl_open_direct(const char *path);

// Swaps two entries of open folders of one filesystem atomically. 0, or an errno: ENOENT if one is missing, EINVAL if the filesystem
// cannot.
int cl_exchange(int folder, const char *name, int other_folder, const char *other);

// Takes the exclusive lock of an open file without waiting: 0, or an errno (EWOULDBLOCK if another process holds it). The lock ends
// when the file is closed or the process ends, however it ends.
int cl_lock(int file);

// Reserves the space of a file's first `bytes` bytes, the file being as long already: 0, or an errno (ENOSPC if the filesystem has not
// as many left).
int cl_reserve(int file, int64_t bytes);

// How many arguments the program was started with, its own name included; and one of them, or NULL.
int cl_argument_count(void);
const char *cl_argument(int index);

// How many of a file's first `bytes` bytes the page cache holds, in whole pages; -1 if the kernel does not say. Of a file that this
// user may not write, older kernels say that all is cached.
int64_t cl_cached_bytes(int file, int64_t bytes);

#endif
