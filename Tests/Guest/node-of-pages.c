// node-of-pages PID PATH-PART: counts by node the pages of another process's mappings whose path contains PATH-PART
// ("anonymous": of its largest anonymous mapping at least 16 MiB each), asking the kernel with move_pages. An independent check of
// what packrun placement prints.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long counts[64], absent;

static void count(int pid, unsigned long begin, unsigned long end) {
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
      if (status[i] >= 0 && status[i] < 64) counts[status[i]]++;
      else absent++;
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  int pid = atoi(argv[1]);
  int wants_anonymous = strcmp(argv[2], "anonymous") == 0;
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
    int name = 0;
    if (sscanf(line, "%lx-%lx %7s %*s %*s %lu %n", &begin, &end, mode, &inode, &name) < 4) continue;
    // The weights are what is mapped read-only, in large pieces.
    if (mode[0] != 'r' || mode[1] == 'w' || end - begin < 16ul << 20) continue;
    const char *file = line + name;
    int is_hit = wants_anonymous ? *file == 0 || *file == '\n' || strstr(file, "anon_hugepage") != NULL : strstr(file, argv[2]) != NULL;
    if (is_hit) count(pid, begin, end);
  }
  fclose(maps);
  for (int node = 0; node < 64; node++)
    if (counts[node]) printf("node%d=%ld ", node, counts[node]);
  printf("absent=%ld\n", absent);
  return 0;
}
