// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux

/// The name of a mapped file, for the moment when its pages can no longer be read.
///
/// A file that becomes shorter while it is mapped, or a disk that fails, is a SIGBUS in whatever instruction reads the page. After
/// `reportLostPages` the process then ends with a line that names the file, instead of a crash.
package struct FileGuard: ~Copyable, Sendable {
  private let number: Int64

  /// Names the file that is mapped, from its first byte, at the start of `range`.
  package init(_ range: AddressRange, path: String) {
    number = unsafe cl_guard_add(range.pointer, range.count, path)
  }

  deinit { cl_guard_remove(number) }
}

/// From now on, pages of a mapped pack that can no longer be read end the process with one line on standard error and exit code 1.
///
/// For programs: it installs a handler for SIGBUS, which passes on every signal that is not about a mapped pack.
///
/// - Parameter prefix: What the line begins with, at most 63 bytes.
public func reportLostPages(prefix: String) { _ = unsafe cl_guard_start(prefix) }
