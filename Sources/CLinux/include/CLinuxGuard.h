// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The message of a program when pages of a mapped file can no longer be read.
#ifndef CLINUX_GUARD_H
#define CLINUX_GUARD_H

#include <stddef.h>
#include <stdint.h>

// From now on, a SIGBUS in a guarded range prints one line that begins with `prefix`, and ends the process with exit code 1. A SIGBUS
// elsewhere goes to the previous handler. Returns 0 or an errno.
int cl_guard_start(const char *prefix);

// Registers the file that is mapped from its first byte at `start`. Returns the number of the guard, or -1 if there is no memory for one.
int64_t cl_guard_add(const void *start, size_t bytes, const char *path);

// Removes a guard; -1 is ignored.
void cl_guard_remove(int64_t guard);

#endif
