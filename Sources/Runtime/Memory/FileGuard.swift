// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux

/// Registers a mapped file by name, for the case that its pages can no longer be read.
///
/// If a mapped file becomes shorter or its disk fails, whatever instruction reads the page raises SIGBUS. After `reportLostPages` the
/// process then ends with a line that names the file, instead of a crash.
package struct FileGuard: ~Copyable, Sendable {
  private let number: Int64

  /// Registers the file at `path`, which is mapped from its first byte at the start of `range`.
  package init(_ range: AddressRange, path: String) {
    number = unsafe cl_guard_add(range.pointer, range.count, path)
  }

  deinit { cl_guard_remove(number) }
}

/// Makes the process end with one line on standard error and exit code 1 if a page of a mapped pack can no longer be read.
///
/// It is for programs: it installs a handler for SIGBUS, which passes on every signal that does not concern a mapped pack.
///
/// - Parameter prefix: The beginning of the line, at most 63 bytes.
public func reportLostPages(prefix: String) { _ = unsafe cl_guard_start(prefix) }
