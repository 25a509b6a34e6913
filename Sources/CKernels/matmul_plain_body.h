// Products with weights in layout `gguf`, of any type. Included by one file per instruction set, which says how many rows and
// columns fit its registers: PLAIN_ROWS and PLAIN_COLUMNS.
//
// A piece of a few rows is turned into floats once for a tile of columns.
//
// Order: 16 lanes (element k into lane k mod 16, in order, by fma; the row's tail is filled up with zeros), then the tree of v_sum.
#include "CKernels.h"

enum {
  piece_elements = 512,  // a multiple of every type's block
  tile_columns = 64,
};

// A tile of the product: PLAIN_ROWS rows by at most tile_columns columns, 16 partial sums each.
typedef struct {
  float sums[PLAIN_ROWS][tile_columns][16];
  float pieces[PLAIN_ROWS][piece_elements];
  const float *x[tile_columns];
} plain_tile;

// Adds the products of n elements of `rows` rows with `columns` columns from c, which begin at element k.
V_INLINE void plain_dots(plain_tile *t, int rows, int c, int columns, int64_t k, int64_t n) {
  v16 sums[PLAIN_ROWS][PLAIN_COLUMNS];
  for (int r = 0; r < rows; r++) {
    for (int j = 0; j < columns; j++) sums[r][j] = v_load(t->sums[r][c + j]);
  }
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    v16 x[PLAIN_COLUMNS];
    for (int j = 0; j < columns; j++) x[j] = v_load(t->x[c + j] + k + i);
    for (int r = 0; r < rows; r++) {
      v16 w = v_load(t->pieces[r] + i);
      for (int j = 0; j < columns; j++) sums[r][j] = v_fma(w, x[j], sums[r][j]);
    }
  }
  if (i < n) {
    for (int r = 0; r < rows; r++) {
      v16 w = v_load_part(t->pieces[r] + i, n - i);
      for (int j = 0; j < columns; j++) sums[r][j] = v_fma(w, v_load_part(t->x[c + j] + k + i, n - i), sums[r][j]);
    }
  }
  for (int r = 0; r < rows; r++) {
    for (int j = 0; j < columns; j++) v_store(t->sums[r][c + j], sums[r][j]);
  }
}

V_INLINE void plain_columns(plain_tile *t, int rows, int columns, int64_t k, int64_t n) {
  int c = 0;
  for (; c + PLAIN_COLUMNS <= columns; c += PLAIN_COLUMNS) plain_dots(t, rows, c, PLAIN_COLUMNS, k, n);
  for (; c < columns; c++) plain_dots(t, rows, c, 1, k, n);
}

// Rows row..<row + rows, columns c..<c + columns.
V_INLINE void plain_rows(const ck_matmul *m, plain_tile *t, int64_t row, int rows, int64_t c, int columns) {
  const dequantizer *d = &dequantizers[m->type];
  int64_t row_bytes = m->k / d->elements * d->bytes;
  for (int r = 0; r < rows; r++) memset(t->sums[r], 0, (size_t)columns * sizeof t->sums[r][0]);
  for (int64_t k = 0; k < m->k; k += piece_elements) {
    int64_t n = m->k - k < piece_elements ? m->k - k : piece_elements;
    for (int r = 0; r < rows; r++) {
      d->row(m->weights + (row + r) * row_bytes + k / d->elements * d->bytes, n / d->elements, t->pieces[r]);
    }
    plain_columns(t, rows, columns, k, n);
  }
  for (int r = 0; r < rows; r++) {
    for (int j = 0; j < columns; j++) m->output[(c + j) * m->output_stride + row + r] = v_sum(v_load(t->sums[r][j]));
  }
}

static void matmul_plain(const ck_matmul *m) {
  plain_tile t;
  for (int64_t c = 0; c < m->columns; c += tile_columns) {
    int columns = m->columns - c < tile_columns ? (int)(m->columns - c) : tile_columns;
    for (int j = 0; j < columns; j++) t.x[j] = m->x + (m->column_map ? m->column_map[c + j] : c + j) * m->x_stride;
    int64_t row = m->row_begin;
    for (; row + PLAIN_ROWS <= m->row_end; row += PLAIN_ROWS) plain_rows(m, &t, row, PLAIN_ROWS, c, columns);
    for (; row < m->row_end; row++) plain_rows(m, &t, row, 1, c, columns);
  }
}
