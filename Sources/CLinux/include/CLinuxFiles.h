// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// File operations that Swift's Glibc module does not offer.
#ifndef CLINUX_FILES_H
#define CLINUX_FILES_H

#include <stdint.h>

// Opens `name` in an open folder, or in the current folder for AT_FDCWD. Returns the descriptor, or -errno.
int cl_open_at(int folder, const char *name, int flags, uint32_t permissions);

// Opens a file for reads that bypass the page cache. Returns the descriptor, or -errno (EINVAL: the filesystem has no such reads).
int cl_open_direct(const char *path);

// Atomically swaps two entries of open folders on one filesystem. Returns 0 or an errno: ENOENT if one is missing, EINVAL if the filesystem
// cannot do it.
int cl_exchange(int folder, const char *name, int other_folder, const char *other);

// Takes the exclusive lock of an open file without waiting. Returns 0 or an errno (EWOULDBLOCK if another process holds it). The lock ends
// when the file is closed or the process ends, however it ends.
int cl_lock(int file);

// Reserves disk space for a file's first `bytes` bytes; the file must already be that long. Returns 0 or an errno (ENOSPC if the filesystem
// has too little left).
int cl_reserve(int file, int64_t bytes);

// Return the number of arguments that the program was started with, including its own name; and one of them, or NULL.
int cl_argument_count(void);
const char *cl_argument(int index);

// Returns how many of a file's first `bytes` bytes the page cache holds, in whole pages; -1 if the kernel does not say. For a file that
// this user may not write, older kernels report everything as cached.
int64_t cl_cached_bytes(int file, int64_t bytes);

#endif
