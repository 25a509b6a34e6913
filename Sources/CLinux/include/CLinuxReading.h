// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Loops that only read memory, to measure the maximum speed.
#ifndef CLINUX_READING_H
#define CLINUX_READING_H

#include <stddef.h>
#include <stdint.h>

// Returns the number of loops. They differ in the width of a load, in how many places they read in turn, in how far ahead they prefetch,
// and into which cache. Which loop is fastest depends on the CPU.
int cl_reading_count(void);

// Returns the name of a loop, such as `512 bits, 1 place, prefetcht1 8192 ahead`.
const char *cl_reading_name(int loop);

// Reads `bytes` bytes from `start`, a multiple of 64, by one of the loops; up to the last 4095 bytes may be left out. Returns a number that
// depends on all of them, so that no compiler removes the reads.
uint64_t cl_reading_run(int loop, const void *start, size_t bytes);

#endif
