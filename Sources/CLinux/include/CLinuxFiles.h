// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// File operations that Glibc's Swift module hides.
#ifndef CLINUX_FILES_H
#define CLINUX_FILES_H

#include <stdint.h>

// Bytes of the disk that a file takes; 0 if there is none.
int64_t cl_allocated_bytes(const char *path);

// Swaps two paths of one filesystem atomically. 0, or an errno: ENOENT if one is missing, EINVAL if the filesystem cannot.
int cl_exchange(const char *a, const char *b);

// Bytes that the filesystem of an open file has free for us, or -1 if it does not say.
int64_t cl_free_bytes(int file);

// Takes the exclusive lock of an open file without waiting: 0, or an errno (EWOULDBLOCK if somebody else holds it). The lock ends
// when the file is closed or the process ends, however it ends.
int cl_lock(int file);

// Reserves the space of a file's first `bytes` bytes: 0, or an errno (ENOSPC if the filesystem has not as many left).
int cl_reserve(int file, int64_t bytes);

// Writes a file's data to the disk: 0, or an errno.
int cl_synchronize(int file);

// Writes a folder's entries to the disk: 0, or an errno.
int cl_sync_folder(const char *path);

#endif
