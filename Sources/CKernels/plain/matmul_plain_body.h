// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Products with weights in layout `gguf` of any type. Included by one file per instruction set (ops_table.h), with the numbers of rows and
// columns that fit its registers: PLAIN_ROWS and PLAIN_COLUMNS.
//
// A piece of a few rows is converted to floats once for a tile of columns.
//
// Order: 16 lanes (element k goes to lane k mod 16, in order, by fma; the row's tail is padded with zeros), then the tree of v_sum.
#ifndef CKERNELS_MATMUL_PLAIN_BODY_H
#define CKERNELS_MATMUL_PLAIN_BODY_H

#include <string.h>

#include "CKernels.h"
#include "dequantize_body.h"

enum {
  piece_elements = 512,         // a multiple of every type's block
  tile_rows = 2 * PLAIN_ROWS,   // so that columns come from the second-level cache half as often
  tile_columns = 64,
};

// A tile of the product: at most tile_rows rows by tile_columns columns, with 16 partial sums each.
typedef struct {
  _Alignas(64) float sums[tile_rows][tile_columns][16];
  _Alignas(64) float pieces[tile_rows][piece_elements];
  const float *w[tile_rows];     // the current piece of each row: in `pieces`, or in place if the weights are floats
  const float *x[tile_columns];
} plain_tile;

// Adds the products of n elements of `rows` rows from r with `columns` columns from c; the piece begins at element k.
INLINE void plain_dots(plain_tile *t, int r, int rows, int c, int columns, int64_t k, int64_t n) {
  v16 sums[PLAIN_ROWS][PLAIN_COLUMNS];
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < columns; j++) sums[i][j] = v_load(t->sums[r + i][c + j]);
  }
  int64_t e = 0;
  for (; e + 16 <= n; e += 16) {
    v16 x[PLAIN_COLUMNS];
    for (int j = 0; j < columns; j++) x[j] = v_load(t->x[c + j] + k + e);
    for (int i = 0; i < rows; i++) {
      v16 w = v_load(t->w[r + i] + e);
      for (int j = 0; j < columns; j++) sums[i][j] = v_fma(w, x[j], sums[i][j]);
    }
  }
  if (e < n) {
    for (int i = 0; i < rows; i++) {
      v16 w = v_load_part(t->w[r + i] + e, n - e);
      for (int j = 0; j < columns; j++) sums[i][j] = v_fma(w, v_load_part(t->x[c + j] + k + e, n - e), sums[i][j]);
    }
  }
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < columns; j++) v_store(t->sums[r + i][c + j], sums[i][j]);
  }
}

// Adds the products of a piece for all rows and columns of the tile.
static void plain_piece(plain_tile *t, int rows, int columns, int64_t k, int64_t n) {
  int c = 0;
  for (; c + PLAIN_COLUMNS <= columns; c += PLAIN_COLUMNS) {
    int r = 0;
    for (; r + PLAIN_ROWS <= rows; r += PLAIN_ROWS) plain_dots(t, r, PLAIN_ROWS, c, PLAIN_COLUMNS, k, n);
    for (; r < rows; r++) plain_dots(t, r, 1, c, PLAIN_COLUMNS, k, n);
  }
  for (; c < columns; c++) {
    int r = 0;
    for (; r + PLAIN_ROWS <= rows; r += PLAIN_ROWS) plain_dots(t, r, PLAIN_ROWS, c, 1, k, n);
    for (; r < rows; r++) plain_dots(t, r, 1, c, 1, k, n);
  }
}

// Computes rows row..<row + rows for the tile's columns, which begin at c.
static void plain_rows(const ck_matmul *m, plain_tile *t, int64_t row, int rows, int64_t c, int columns) {
  const int64_t elements = wt_types[m->type].elements;
  for (int r = 0; r < rows; r++) memset(t->sums[r], 0, (size_t)columns * sizeof t->sums[r][0]);
  for (int64_t k = 0; k < m->k; k += piece_elements) {
    int64_t n = m->k - k < piece_elements ? m->k - k : piece_elements;
    for (int r = 0; r < rows; r++) {
      if (m->type == WT_F32) {
        t->w[r] = (const float *)(const void *)m->weights + (row + r) * m->k + k;
      } else {
        t->w[r] = t->pieces[r];
        part_of_row(m->type, m->weights, m->k, row + r, k / elements, n / elements, FOR_PRODUCTS, t->pieces[r]);
      }
    }
    plain_piece(t, rows, columns, k, n);
  }
  for (int r = 0; r < rows; r++) {
    for (int j = 0; j < columns; j++) m->output[(c + j) * m->output_stride + row + r] = v_sum(v_load(t->sums[r][j]));
  }
}

static void matmul_plain(const ck_matmul *m) {
  plain_tile t;
  for (int64_t c = 0; c < m->columns; c += tile_columns) {
    int columns = m->columns - c < tile_columns ? (int)(m->columns - c) : tile_columns;
    // Two loops: in a single one, compilers make masked loads from a map that may be NULL, and emulators of AVX2 fault on these.
    if (m->column_map != NULL) {
      for (int j = 0; j < columns; j++) t.x[j] = m->x + m->column_map[c + j] * m->x_stride;
    } else {
      for (int j = 0; j < columns; j++) t.x[j] = m->x + (c + j) * m->x_stride;
    }
    for (int64_t row = m->row_begin; row < m->row_end; row += tile_rows) {
      int rows = m->row_end - row < tile_rows ? (int)(m->row_end - row) : tile_rows;
      plain_rows(m, &t, row, rows, c, columns);
    }
  }
}

#endif
