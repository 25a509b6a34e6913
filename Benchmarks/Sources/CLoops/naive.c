// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include <math.h>
#include <stdlib.h>

#include "CLoops.h"

// Computes all scores of a query, then their softmax, then the sum of the values.
void naive_attention(const naive_problem *p) {
  float *scores = malloc((size_t)p->positions * sizeof *scores);
  if (!scores) abort();
  for (int64_t q = 0; q < p->queries; q++) {
    const float *query = p->query + q * p->dim;
    float *out = p->output + q * p->dim;
    int64_t end = p->first_end + q / p->group;
    float greatest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < end; i++) {
      float score = 0;
      for (int64_t d = 0; d < p->dim; d++) score += query[d] * p->keys[i * p->dim + d];
      scores[i] = score * p->scale;
      if (scores[i] > greatest) greatest = scores[i];
    }
    for (int64_t i = 0; i < end; i++) sum += scores[i] = expf(scores[i] - greatest);
    for (int64_t d = 0; d < p->dim; d++) out[d] = 0;
    for (int64_t i = 0; i < end; i++) {
      for (int64_t d = 0; d < p->dim; d++) out[d] += scores[i] / sum * p->values[i * p->dim + d];
    }
  }
  free(scores);
}
