// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// small-pipe: limits the pipe that is its standard input to one page, so that a writer soon waits for a reader.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
  if (fcntl(STDIN_FILENO, F_SETPIPE_SZ, 4096) == 4096) return 0;
  perror("F_SETPIPE_SZ");
  return 2;
}
