// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Interleaving of 16 rows, and back.
//
// It works on four bytes of each row at a time, which are 64 bytes, row after row. Moving the units to their places within the 64 bytes
// permutes the bits of a byte's index: (row, byte of four) becomes (unit, row, byte of unit). The permutation consists of steps that
// interleave two halves; each step rotates the index bits left by one. It uses plain vectors of 16 bytes, which every 64-bit CPU has.
#include <string.h>

#include "CKernels.h"
#include "inline.h"

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint16_t halves8 __attribute__((vector_size(16)));
typedef uint32_t words4 __attribute__((vector_size(16)));
typedef uint8_t bytes8 __attribute__((vector_size(8)));

typedef struct {
  bytes16 part[4];
} bytes64;

INLINE bytes64 load64(const uint8_t *p) {
  bytes64 v;
  memcpy(&v, p, 64);
  return v;
}

INLINE bytes64 gather(const uint8_t *rows, int64_t stride) {
  bytes64 v;
  for (int q = 0; q < 4; q++) {
    words4 w;
    for (int r = 0; r < 4; r++) {
      uint32_t word;
      memcpy(&word, rows + (4 * q + r) * stride, 4);
      w[r] = word;
    }
    v.part[q] = (bytes16)w;
  }
  return v;
}

INLINE void scatter(bytes64 v, uint8_t *rows, int64_t stride) {
  for (int q = 0; q < 4; q++) {
    const words4 w = (words4)v.part[q];
    for (int r = 0; r < 4; r++) {
      const uint32_t word = w[r];
      memcpy(rows + (4 * q + r) * stride, &word, 4);
    }
  }
}

INLINE bytes16 low_bytes(bytes16 a, bytes16 b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
INLINE bytes16 high_bytes(bytes16 a, bytes16 b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
INLINE bytes16 low_halves(bytes16 a, bytes16 b) {
  return (bytes16)__builtin_shufflevector((halves8)a, (halves8)b, 0, 8, 1, 9, 2, 10, 3, 11);
}
INLINE bytes16 high_halves(bytes16 a, bytes16 b) {
  return (bytes16)__builtin_shufflevector((halves8)a, (halves8)b, 4, 12, 5, 13, 6, 14, 7, 15);
}

// Rotates the index bits left by one, for bytes: interleaves the bytes of the first half with those of the second.
INLINE bytes64 shuffle_bytes(bytes64 v) {
  return (bytes64){{low_bytes(v.part[0], v.part[2]), high_bytes(v.part[0], v.part[2]), low_bytes(v.part[1], v.part[3]),
                    high_bytes(v.part[1], v.part[3])}};
}
INLINE bytes64 shuffle_halves(bytes64 v) {
  return (bytes64){{low_halves(v.part[0], v.part[2]), high_halves(v.part[0], v.part[2]), low_halves(v.part[1], v.part[3]),
                    high_halves(v.part[1], v.part[3])}};
}

// Pairs the nibbles of 8 pairs of rows. Each 16-bit lane holds a byte of two neighbouring rows; the low nibbles go to 8 bytes, the high
// ones to 8 more.
INLINE bytes16 pair_nibbles(bytes16 v) {
  const halves8 x = (halves8)v;
  const bytes8 low = __builtin_convertvector((x & 0x0f) | ((x >> 4) & 0xf0), bytes8);
  const bytes8 high = __builtin_convertvector(((x >> 4) & 0x0f) | ((x >> 8) & 0xf0), bytes8);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
INLINE bytes16 part_nibbles(bytes16 v) {
  const halves8 low = __builtin_convertvector(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7), halves8);
  const halves8 high = __builtin_convertvector(__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15), halves8);
  return (bytes16)((low & 0x0f) | ((low & 0xf0) << 4) | ((high & 0x0f) << 4) | ((high & 0xf0) << 8));
}

INLINE bytes64 to_units(bytes64 v, int unit_bits) {
  if (unit_bits == 16) {
    for (int i = 0; i < 4; i++) v = shuffle_halves(v);
  } else if (unit_bits <= 8) {
    for (int i = 0; i < 4; i++) v = shuffle_bytes(v);
    if (unit_bits == 4)
      for (int i = 0; i < 4; i++) v.part[i] = pair_nibbles(v.part[i]);
  }
  return v;
}

INLINE bytes64 to_rows(bytes64 v, int unit_bits) {
  if (unit_bits == 16) {
    v = shuffle_halves(v);
  } else if (unit_bits <= 8) {
    if (unit_bits == 4)
      for (int i = 0; i < 4; i++) v.part[i] = part_nibbles(v.part[i]);
    v = shuffle_bytes(shuffle_bytes(v));
  }
  return v;
}

INLINE bytes64 flipped(bytes64 v, uint8_t flip) {
  const bytes16 mask = (bytes16){} + flip;
  for (int i = 0; i < 4; i++) v.part[i] ^= mask;
  return v;
}

// Transposes four rows of four words; it is its own inverse.
INLINE void transpose(bytes16 v[4]) {
  const words4 a = (words4)v[0], b = (words4)v[1], c = (words4)v[2], d = (words4)v[3];
  const words4 ac = __builtin_shufflevector(a, c, 0, 4, 1, 5), bd = __builtin_shufflevector(b, d, 0, 4, 1, 5);
  const words4 ac2 = __builtin_shufflevector(a, c, 2, 6, 3, 7), bd2 = __builtin_shufflevector(b, d, 2, 6, 3, 7);
  v[0] = (bytes16)__builtin_shufflevector(ac, bd, 0, 4, 1, 5);
  v[1] = (bytes16)__builtin_shufflevector(ac, bd, 2, 6, 3, 7);
  v[2] = (bytes16)__builtin_shufflevector(ac2, bd2, 0, 4, 1, 5);
  v[3] = (bytes16)__builtin_shufflevector(ac2, bd2, 2, 6, 3, 7);
}

// Interleaves chunks of four bytes of each row, four chunks at a time as long as there are that many. Rows whose distance is a multiple of
// 4 KiB share few places in the first-level cache, so each access should use as many bytes as it can.
INLINE void interleave_chunks(const uint8_t *rows, int64_t stride, int64_t chunks, int unit_bits, uint8_t flip, uint8_t *out) {
  int64_t i = 0;
  for (; i + 4 <= chunks; i += 4) {
    bytes64 chunk[4];
    for (int q = 0; q < 4; q++) {
      bytes16 v[4];
      for (int r = 0; r < 4; r++) memcpy(&v[r], rows + (4 * q + r) * stride + 4 * i, 16);
      transpose(v);
      for (int c = 0; c < 4; c++) chunk[c].part[q] = v[c];
    }
    for (int c = 0; c < 4; c++) {
      const bytes64 v = flipped(to_units(chunk[c], unit_bits), flip);
      memcpy(out + 64 * (i + c), &v, 64);
    }
  }
  for (; i < chunks; i++) {
    const bytes64 v = flipped(to_units(gather(rows + 4 * i, stride), unit_bits), flip);
    memcpy(out + 64 * i, &v, 64);
  }
}

INLINE void separate_chunks(const uint8_t *in, int64_t chunks, int unit_bits, uint8_t flip, uint8_t *rows, int64_t stride) {
  int64_t i = 0;
  for (; i + 4 <= chunks; i += 4) {
    bytes64 chunk[4];
    for (int c = 0; c < 4; c++) chunk[c] = to_rows(flipped(load64(in + 64 * (i + c)), flip), unit_bits);
    for (int q = 0; q < 4; q++) {
      bytes16 v[4];
      for (int c = 0; c < 4; c++) v[c] = chunk[c].part[q];
      transpose(v);
      for (int r = 0; r < 4; r++) memcpy(rows + (4 * q + r) * stride + 4 * i, &v[r], 16);
    }
  }
  for (; i < chunks; i++) {
    scatter(to_rows(flipped(load64(in + 64 * i), flip), unit_bits), rows + 4 * i, stride);
  }
}

// Moves what is left, fewer than four bytes of each row, one byte at a time.
static void interleave_rest(const uint8_t *rows, int64_t stride, int64_t units, int unit_bits, uint8_t flip, uint8_t *out) {
  if (unit_bits == 4) {
    for (int64_t u = 0; u < units; u++) {
      for (int r = 0; r < 16; r += 2) {
        const int shift = u % 2 * 4;
        const int a = rows[r * stride + u / 2] >> shift & 15, b = rows[(r + 1) * stride + u / 2] >> shift & 15;
        out[u * 8 + r / 2] = (uint8_t)(a | b << 4) ^ flip;
      }
    }
    return;
  }
  const int64_t bytes = unit_bits / 8;
  for (int64_t u = 0; u < units; u++) {
    for (int r = 0; r < 16; r++) {
      for (int64_t i = 0; i < bytes; i++) out[(u * 16 + r) * bytes + i] = rows[r * stride + u * bytes + i] ^ flip;
    }
  }
}

static void separate_rest(const uint8_t *in, int64_t units, int unit_bits, uint8_t flip, uint8_t *rows, int64_t stride) {
  if (unit_bits == 4) {
    for (int64_t u = 0; u < units; u += 2) {
      for (int r = 0; r < 16; r++) {
        const int shift = r % 2 * 4;
        const int low = (in[u * 8 + r / 2] ^ flip) >> shift & 15, high = (in[(u + 1) * 8 + r / 2] ^ flip) >> shift & 15;
        rows[r * stride + u / 2] = (uint8_t)(low | high << 4);
      }
    }
    return;
  }
  const int64_t bytes = unit_bits / 8;
  for (int64_t u = 0; u < units; u++) {
    for (int r = 0; r < 16; r++) {
      for (int64_t i = 0; i < bytes; i++) rows[r * stride + u * bytes + i] = in[(u * 16 + r) * bytes + i] ^ flip;
    }
  }
}

void ck_interleave(const uint8_t *rows, int64_t row_stride, int64_t units, int unit_bits, uint8_t flip, uint8_t *out) {
  const int64_t chunks = units * unit_bits / 32;
  switch (unit_bits) {  // so that each loop is compiled for one permutation
    case 4: interleave_chunks(rows, row_stride, chunks, 4, flip, out); break;
    case 8: interleave_chunks(rows, row_stride, chunks, 8, flip, out); break;
    case 16: interleave_chunks(rows, row_stride, chunks, 16, flip, out); break;
    default: interleave_chunks(rows, row_stride, chunks, 32, flip, out); break;
  }
  interleave_rest(rows + 4 * chunks, row_stride, units - chunks * 32 / unit_bits, unit_bits, flip, out + 64 * chunks);
}

void ck_separate(const uint8_t *in, int64_t units, int unit_bits, uint8_t flip, uint8_t *rows, int64_t row_stride) {
  const int64_t chunks = units * unit_bits / 32;
  switch (unit_bits) {
    case 4: separate_chunks(in, chunks, 4, flip, rows, row_stride); break;
    case 8: separate_chunks(in, chunks, 8, flip, rows, row_stride); break;
    case 16: separate_chunks(in, chunks, 16, flip, rows, row_stride); break;
    default: separate_chunks(in, chunks, 32, flip, rows, row_stride); break;
  }
  separate_rest(in + 64 * chunks, units - chunks * 32 / unit_bits, unit_bits, flip, rows + 4 * chunks, row_stride);
}
