// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "CLinuxFiles.h"

#include <stddef.h>

static int count;
static char **values;

// glibc passes the arguments of main to a program's constructors. (Swift reads /proc/self/cmdline, which may be missing.)
__attribute__((constructor)) static void keep(int argument_count, char **arguments) {
  count = argument_count;
  values = arguments;
}

int cl_argument_count(void) { return count; }

const char *cl_argument(int index) { return index >= 0 && index < count ? values[index] : NULL; }
