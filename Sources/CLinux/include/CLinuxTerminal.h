// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#ifndef CLINUX_TERMINAL_H
#define CLINUX_TERMINAL_H

/// Makes a terminal give each key as it is typed, without echo; signals such as Ctrl-C stay. Returns 0, or -1 with errno set.
///
/// The terminal gets its own state back from `cl_restore_terminal`, at `exit`, and when a signal ends the program. May be called
/// again, as after another program has changed the state; one terminal for each process.
int cl_unbuffer_terminal(int descriptor);

/// Gives the terminal the state back that it had before `cl_unbuffer_terminal`; may be called at any time, in a signal handler too.
void cl_restore_terminal(void);

/// Asks the terminal to mark what is pasted (xterm's bracketed paste), or to stop that, which `cl_restore_terminal` does, too.
void cl_bracket_pastes(int descriptor, int is_on);

#endif
