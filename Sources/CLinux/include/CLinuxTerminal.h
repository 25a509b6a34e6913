// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#ifndef CLINUX_TERMINAL_H
#define CLINUX_TERMINAL_H

/// Makes a terminal deliver each key as it is typed, without echo; signals such as Ctrl-C stay. Returns 0, or -1 with errno set.
///
/// The terminal's own state is restored by `cl_restore_terminal`, at `exit`, and when a signal ends the program. The function may be called
/// again, for example after another program has changed the state. There can be one terminal per process.
int cl_unbuffer_terminal(int descriptor);

/// Restores the state that the terminal had before `cl_unbuffer_terminal`. May be called at any time, also in a signal handler.
void cl_restore_terminal(void);

/// Makes the terminal mark pasted text (xterm's bracketed paste), or stop doing so, which `cl_restore_terminal` does too.
void cl_bracket_pastes(int descriptor, int is_on);

#endif
