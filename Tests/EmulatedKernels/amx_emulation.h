// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// AMX tiles in plain C, as described in Intel's manual. Anything that the manual forbids ends the program: a shape that an instruction does
// not accept would end it on a real CPU too.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct {
  uint8_t palette;
  uint8_t rows[8];
  uint16_t row_bytes[8];
  uint8_t data[8][16][64];
} amx;

static inline void amx_require(int is_true) {
  if (!is_true) abort();
}

static inline void amx_load_configuration(const void *from) {
  const uint8_t *bytes = from;
  amx_require(bytes[0] == 1);
  for (int i = 1; i < 16; i++) amx_require(bytes[i] == 0);
  memset(&amx, 0, sizeof amx);
  amx.palette = 1;
  for (int tile = 0; tile < 16; tile++) {
    uint16_t row_bytes;
    memcpy(&row_bytes, bytes + 16 + 2 * tile, 2);
    const uint8_t rows = bytes[48 + tile];
    amx_require(tile < 8 ? rows <= 16 && row_bytes <= 64 && (rows == 0) == (row_bytes == 0) : rows == 0 && row_bytes == 0);
    if (tile >= 8) continue;
    amx.rows[tile] = rows;
    amx.row_bytes[tile] = row_bytes;
  }
}

static inline void amx_release(void) { memset(&amx, 0, sizeof amx); }

static inline void amx_zero(int tile) {
  amx_require(amx.palette == 1 && amx.rows[tile] != 0);
  memset(amx.data[tile], 0, sizeof amx.data[tile]);
}

static inline void amx_load(int tile, const void *from, size_t stride) {
  amx_zero(tile);
  for (int row = 0; row < amx.rows[tile]; row++) {
    memcpy(amx.data[tile][row], (const uint8_t *)from + (size_t)row * stride, amx.row_bytes[tile]);
  }
}

static inline void amx_store(int tile, void *to, size_t stride) {
  amx_require(amx.palette == 1 && amx.rows[tile] != 0);
  for (int row = 0; row < amx.rows[tile]; row++) {
    memcpy((uint8_t *)to + (size_t)row * stride, amx.data[tile][row], amx.row_bytes[tile]);
  }
}

// sums += a * b for signed and unsigned bytes, four at a time.
static inline void amx_dot_signed_unsigned(int sums, int a, int b) {
  amx_require(sums != a && sums != b && a != b && amx.rows[a] != 0 && amx.rows[b] != 0 && amx.rows[sums] == amx.rows[a]);
  amx_require(amx.row_bytes[a] == 4 * amx.rows[b] && amx.row_bytes[sums] == amx.row_bytes[b] && amx.row_bytes[a] % 4 == 0);
  for (int row = 0; row < amx.rows[sums]; row++) {
    for (int column = 0; column < amx.row_bytes[sums] / 4; column++) {
      int32_t sum;
      memcpy(&sum, amx.data[sums][row] + 4 * column, 4);
      for (int i = 0; i < amx.row_bytes[a]; i++) sum += (int8_t)amx.data[a][row][i] * amx.data[b][i / 4][4 * column + i % 4];
      memcpy(amx.data[sums][row] + 4 * column, &sum, 4);
    }
  }
}

#define _tile_loadconfig amx_load_configuration
#define _tile_release amx_release
#define _tile_zero amx_zero
#define _tile_loadd amx_load
#define _tile_stored amx_store
#define _tile_dpbsud amx_dot_signed_unsigned
