// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "CLinuxGuard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The handler may run at any moment in any thread, so it takes no lock. Entries are only ever added to the list, and an entry with an empty
// range can be used for another file. `start` is set last and cleared first.
typedef struct entry {
  uintptr_t start;
  size_t bytes;
  char *path;
  int64_t number;
  struct entry *next;
} entry;

static entry *first;
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static char line_prefix[64];
static struct sigaction before;
static int speaking;

int64_t cl_guard_add(const void *start, size_t bytes, const char *path) {
  char *copy = strdup(path);
  if (!copy) return -1;
  pthread_mutex_lock(&changing);
  entry *e = first;
  while (e && e->start) e = e->next;
  if (!e) {
    e = calloc(1, sizeof *e);
    if (!e) {
      pthread_mutex_unlock(&changing);
      free(copy);
      return -1;
    }
    e->number = first ? first->number + 1 : 0;
    e->next = first;
    __atomic_store_n(&first, e, __ATOMIC_RELEASE);
  }
  free(e->path);
  e->path = copy;
  e->bytes = bytes;
  __atomic_store_n(&e->start, (uintptr_t)start, __ATOMIC_RELEASE);
  int64_t number = e->number;
  pthread_mutex_unlock(&changing);
  return number;
}

void cl_guard_remove(int64_t guard) {
  if (guard < 0) return;
  pthread_mutex_lock(&changing);
  for (entry *e = first; e; e = e->next)
    if (e->number == guard) __atomic_store_n(&e->start, 0, __ATOMIC_RELEASE);
  pthread_mutex_unlock(&changing);
}

// ---- in the handler: only functions that POSIX calls async-signal-safe ---------------------------------------------

typedef struct {
  char bytes[1024];
  size_t count;
} line;

static void add(line *l, const char *text) {
  while (*text && l->count < sizeof l->bytes - 1) {
    // A path may contain characters that would control a terminal or break the line.
    unsigned char c = (unsigned char)*text++;
    l->bytes[l->count++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
  }
}

static void add_number(line *l, uint64_t number) {
  char digits[21], *end = digits + 20;
  *end = 0;
  do *--end = (char)('0' + number % 10);
  while (number /= 10);
  add(l, end);
}

static void report(const entry *e, uint64_t offset) {
  line l = {.count = 0};
  struct stat status;
  add(&l, line_prefix);
  add(&l, e->path);
  if (stat(e->path, &status) == 0 && (uint64_t)status.st_size <= offset) {
    add(&l, ": the file was cut to ");
    add_number(&l, (uint64_t)status.st_size);
    add(&l, " bytes while it was in use, and byte ");
    add_number(&l, offset);
    add(&l, " is needed; restore the file and start again");
  } else {
    add(&l, ": byte ");
    add_number(&l, offset);
    add(&l, " is not available: the disk failed, or a filesystem in memory is full");
  }
  l.bytes[l.count++] = '\n';
  for (size_t done = 0; done < l.count;) {
    ssize_t written = write(STDERR_FILENO, l.bytes + done, l.count - done);
    if (written < 0 && errno != EINTR) break;
    if (written > 0) done += (size_t)written;
  }
}

static void handle(int signal, siginfo_t *info, void *context) {
  const uintptr_t address = (uintptr_t)info->si_addr;
  // A signal sent by a process (si_code <= 0) has no address.
  for (const entry *e = info->si_code > 0 ? __atomic_load_n(&first, __ATOMIC_ACQUIRE) : NULL; e; e = e->next) {
    const uintptr_t start = __atomic_load_n(&e->start, __ATOMIC_ACQUIRE);
    if (!start || address < start || address - start >= e->bytes) continue;
    // All threads read the weights: the first one prints, the others wait for the end.
    if (__atomic_exchange_n(&speaking, 1, __ATOMIC_ACQ_REL))
      for (;;) pause();
    report(e, address - start);
    _exit(1);
  }
  if (before.sa_flags & SA_SIGINFO && before.sa_sigaction) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) {
    // After the handler the instruction runs again, and then ends the process as it would have without it.
    sigaction(SIGBUS, &before, NULL);
    if (info->si_code <= 0) raise(SIGBUS);
  } else {
    before.sa_handler(signal);
  }
}

int cl_guard_start(const char *prefix) {
  static bool started;
  int error = 0;
  pthread_mutex_lock(&changing);
  strncpy(line_prefix, prefix, sizeof line_prefix - 1);
  if (!started) {
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &before) == 0) started = true; else error = errno;
  }
  pthread_mutex_unlock(&changing);
  return error;
}
