// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The 16-row kernels of every x86 instruction set, with the instructions themselves written in plain C (SIMDe).
#ifndef EMULATEDKERNELS_H
#define EMULATEDKERNELS_H

#include "CKernels.h"

// Returns the table with that name as on a CPU that has the instructions: portable, with the emulated kernels and quantisation in it. NULL
// if there is no such table, or SIMDe was missing when this was compiled (Debian's libsimde-dev).
const ck_table *emulated_table(const char *name);

// Returns the portable table with the layer operations blocked as for AVX-512; it runs on any CPU.
const ck_table *wide_operations(void);

#endif
