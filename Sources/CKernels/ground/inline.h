// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The declaration of the kernels' small functions. None is called; each becomes part of the kernel that uses it.
#ifndef CKERNELS_INLINE_H
#define CKERNELS_INLINE_H

#define INLINE static inline __attribute__((always_inline, unused))

#endif
