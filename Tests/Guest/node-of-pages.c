// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// Counts the pages of another process by node, asking the kernel with move_pages: an independent check of what packrun prints.
//
// node-of-pages PID PATH-PART   pages of read-only mappings whose path contains PATH-PART ("anonymous": of at least 4 MiB that
//                               have no path): the weights
// node-of-pages PID bound       pages of writable memory that /proc/PID/numa_maps shows as bound to a node, by that node, and how
//                               many of them are elsewhere or nowhere: KV caches and activations
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long counts[64], elsewhere, absent;

// Counts the pages of a range; if a node is given, those on other nodes count as elsewhere.
static void count(int pid, unsigned long begin, unsigned long end, int wanted) {
  enum { BATCH = 4096 };
  void *pages[BATCH];
  int status[BATCH];
  while (begin < end) {
    int n = 0;
    for (; n < BATCH && begin < end; n++, begin += 4096) pages[n] = (void *)begin;
    if (syscall(SYS_move_pages, pid, n, pages, NULL, status, 0) != 0) {
      perror("move_pages");
      exit(2);
    }
    for (int i = 0; i < n; i++) {
      if (status[i] < 0 || status[i] >= 64) absent++;
      else if (wanted >= 0 && status[i] != wanted) elsewhere++;
      else counts[status[i]]++;
    }
  }
}

// Returns the node to which the kernel says that the range from `begin` is bound, or -1.
static int bound_node(int pid, unsigned long begin) {
  char path[64], line[4096];
  snprintf(path, sizeof path, "/proc/%d/numa_maps", pid);
  FILE *file = fopen(path, "r");
  int node = -1;
  while (file && fgets(line, sizeof line, file)) {
    unsigned long start;
    char policy[64];
    if (sscanf(line, "%lx %63s", &start, policy) != 2 || start != begin || strncmp(policy, "bind", 4) != 0) continue;
    const char *colon = strrchr(policy, ':');
    if (colon) node = atoi(colon + 1);
  }
  if (file) fclose(file);
  return node;
}

// Returns whether a mapping is requested, and sets the node that its pages belong on, or -1 for any.
static int is_asked_for(const char *what, int pid, unsigned long begin, unsigned long end, const char *mode, const char *file, int *node) {
  *node = -1;
  if (strcmp(what, "bound") == 0) {
    if (mode[1] != 'w' || (*file != 0 && *file != '\n')) return 0;
    *node = bound_node(pid, begin);
    return *node >= 0;
  }
  if (mode[0] != 'r' || mode[1] == 'w') return 0;
  if (strcmp(what, "anonymous") == 0) return end - begin >= 4ul << 20 && (*file == 0 || *file == '\n' || strstr(file, "anon_hugepage") != NULL);
  return strstr(file, what) != NULL;
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  int pid = atoi(argv[1]);
  char path[64], line[4096];
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  FILE *maps = fopen(path, "r");
  if (!maps) {
    perror(path);
    return 2;
  }
  while (fgets(line, sizeof line, maps)) {
    unsigned long begin, end, inode;
    char mode[8];
    int name = 0, node;
    if (sscanf(line, "%lx-%lx %7s %*s %*s %lu %n", &begin, &end, mode, &inode, &name) < 4) continue;
    if (is_asked_for(argv[2], pid, begin, end, mode, line + name, &node)) count(pid, begin, end, node);
  }
  fclose(maps);
  for (int node = 0; node < 64; node++)
    if (counts[node]) printf("node%d=%ld ", node, counts[node]);
  if (strcmp(argv[2], "bound") == 0) printf("elsewhere=%ld ", elsewhere);
  printf("absent=%ld\n", absent);
  return 0;
}
