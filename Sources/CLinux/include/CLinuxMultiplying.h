// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Loops that only multiply, to measure the maximum speed.
#ifndef CLINUX_MULTIPLYING_H
#define CLINUX_MULTIPLYING_H

#include <stdint.h>

// Returns the number of loops that this CPU can run: one for each kind of instruction that multiplies bytes.
int cl_multiplying_count(void);

// Returns the name of a loop: its instructions.
const char *cl_multiplying_name(int loop);

// Runs a loop `rounds` times, and sets `multiply_adds` to the number of products of two bytes that were added up. Returns a number that
// depends on all of them, so that no compiler removes the work.
uint64_t cl_multiplying_run(int loop, int64_t rounds, int64_t *multiply_adds);

#endif
