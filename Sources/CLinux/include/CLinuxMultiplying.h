// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Loops that multiply and do nothing else, to find out how fast that can be.
#ifndef CLINUX_MULTIPLYING_H
#define CLINUX_MULTIPLYING_H

#include <stdint.h>

// How many loops there are here that this CPU runs: one for each kind of instruction that multiplies bytes.
int cl_multiplying_count(void);

// The name of a loop: its instructions.
const char *cl_multiplying_name(int loop);

// Runs a loop `rounds` times; sets `multiply_adds` to how many products of two bytes were added up. Returns a number that depends
// on all of them.
uint64_t cl_multiplying_run(int loop, int64_t rounds, int64_t *multiply_adds);

#endif
