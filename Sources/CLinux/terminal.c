// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "CLinuxTerminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

// `ours` and `before` are complete before `terminal` is set, which the handlers check.
static struct termios before, ours;
static volatile sig_atomic_t terminal = -1;
// The descriptor on which pastes are bracketed, or -1.
static volatile sig_atomic_t bracketing = -1;

void cl_bracket_pastes(int descriptor, int is_on) {
  static const char on[] = "\033[?2004h", off[] = "\033[?2004l";
  bracketing = is_on ? descriptor : -1;
  // A terminal that does not accept it works without it.
  ssize_t count = is_on ? write(descriptor, on, sizeof on - 1) : write(descriptor, off, sizeof off - 1);
  (void)count;
}

// A change from the background would stop this process. If the terminal is not the controlling one, there is no background.
static int is_foreground(int descriptor) {
  pid_t group = tcgetpgrp(descriptor);
  return group < 0 || group == getpgrp();
}

void cl_restore_terminal(void) {
  int descriptor = terminal;
  if (descriptor < 0) return;
  int error = errno;
  terminal = -1;
  if (bracketing >= 0) cl_bracket_pastes(bracketing, 0);
  // If the process is in the background, the shell set the state itself when it took the terminal.
  if (is_foreground(descriptor)) tcsetattr(descriptor, TCSANOW, &before);
  errno = error;
}

static void end_by(int number) {
  cl_restore_terminal();
  signal(number, SIG_DFL);
  raise(number);
}

// After Ctrl-Z, the shell has set its own state.
static void resume(int number) {
  (void)number;
  int error = errno, descriptor = terminal;
  if (descriptor >= 0 && is_foreground(descriptor)) tcsetattr(descriptor, TCSANOW, &ours);
  errno = error;
}

static void watch(int number, void (*handler)(int)) {
  struct sigaction action;
  if (sigaction(number, NULL, &action) || action.sa_handler != SIG_DFL) return;
  action = (struct sigaction){.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(number, &action, NULL);
  // The parent may have blocked the signal, and a child inherits blocked signals.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int cl_unbuffer_terminal(int descriptor) {
  if (terminal >= 0) return tcsetattr(terminal, TCSANOW, &ours);
  if (tcgetattr(descriptor, &before)) return -1;
  ours = before;
  ours.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  ours.c_cc[VMIN] = 1;
  ours.c_cc[VTIME] = 0;
  static int is_watching;
  if (!is_watching) {
    is_watching = 1;
    atexit(cl_restore_terminal);
    watch(SIGHUP, end_by);
    watch(SIGINT, end_by);
    watch(SIGQUIT, end_by);
    watch(SIGTERM, end_by);
    watch(SIGCONT, resume);
  }
  terminal = descriptor;
  // What was typed before is kept.
  if (!tcsetattr(descriptor, TCSANOW, &ours)) return 0;
  terminal = -1;
  return -1;
}
