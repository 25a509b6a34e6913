// Which table of kernels this CPU runs.
//
// A table is made by filling in the functions of several instruction sets in order, so that a higher one inherits what it
// does not do better. All tables are built once, at the first question; after that they are only read.
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "CKernels.h"
#include "matmul16.h"
#if __has_include("ops.h")
#include "ops.h"
#define OPS(name) ck_fill_ops_##name,
#else
#define OPS(name)
#endif

typedef void (*fill_function)(ck_table *);

#define MAX_FILLS 8

typedef struct {
  const char *name;
  bool (*runs_here)(void);
  fill_function fills[MAX_FILLS];  // ended by NULL
} recipe;

static bool always(void) { return true; }

#define PORTABLE OPS(portable) ck_fill_matmul16_portable

// Best first.
static const recipe recipes[] = {
  {"portable", always, {PORTABLE}},
};

#define RECIPE_COUNT (sizeof recipes / sizeof recipes[0])

static ck_table tables[RECIPE_COUNT];
static const char *names[RECIPE_COUNT + 1];
static size_t table_count;
static pthread_once_t built = PTHREAD_ONCE_INIT;

static void build(void) {
  for (size_t i = 0; i < RECIPE_COUNT; i++) {
    const recipe *recipe = &recipes[i];
    if (!recipe->runs_here()) continue;
    ck_table *table = &tables[table_count];
    for (int f = 0; f < MAX_FILLS && recipe->fills[f] != NULL; f++) recipe->fills[f](table);
    table->name = recipe->name;
    names[table_count++] = recipe->name;
  }
}

const ck_table *ck_select(const char *name) {
  pthread_once(&built, build);
  if (name == NULL || strcmp(name, "auto") == 0) return &tables[0];
  for (size_t i = 0; i < table_count; i++) {
    if (strcmp(tables[i].name, name) == 0) return &tables[i];
  }
  return NULL;
}

const char *const *ck_available(void) {
  pthread_once(&built, build);
  return names;
}
