// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Loops that read memory and do nothing else, to find out how fast that can be.
#ifndef CLINUX_READING_H
#define CLINUX_READING_H

#include <stddef.h>
#include <stdint.h>

// How many loops there are here: they differ in the width of a load, in how many places they read by turns, in how far ahead they
// ask, and into which cache. Which one is the fastest differs by CPU.
int cl_reading_count(void);

// The name of a loop, such as `512 bits, 1 place, prefetcht1 8192 ahead`.
const char *cl_reading_name(int loop);

// Reads `bytes` bytes (of which up to the last 4095 may be left out), from a multiple of 64, by one of the loops. Returns a number
// that depends on all of them, so that no compiler leaves the reading out.
uint64_t cl_reading_run(int loop, const void *start, size_t bytes);

#endif
