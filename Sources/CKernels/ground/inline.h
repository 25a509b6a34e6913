// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// How the kernels' small functions are declared: nothing is called, everything becomes part of the kernel that uses it.
#ifndef CKERNELS_INLINE_H
#define CKERNELS_INLINE_H

#define INLINE static inline __attribute__((always_inline, unused))

#endif
