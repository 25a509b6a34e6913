// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// One of the three descriptors that a program starts with.
package enum StandardStream: CInt, CaseIterable, Sendable {
  case input = 0
  case output = 1
  case errors = 2

  /// Whether it is a terminal.
  package var isTerminal: Bool { isatty(rawValue) == 1 }

  /// Opens on /dev/null what the caller has left closed, as some services do: otherwise the next file that is opened, a pack
  /// perhaps, gets the free number and what the program prints.
  ///
  /// Call it before anything else opens a file.
  package static func openMissing() {
    for stream in allCases where fcntl(stream.rawValue, F_GETFD) < 0 && errno == EBADF {
      // The lowest free number is given out, which is this one.
      _ = unsafe open("/dev/null", O_RDWR)
    }
  }

  /// Writes all of `bytes`, however often a signal or a full pipe comes between.
  ///
  /// - Returns: 0, or the errno of what went wrong.
  package func write(_ bytes: [UInt8]) -> CInt {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(rawValue, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
        continue
      }
      let error = count < 0 ? errno : EIO
      switch error {
      case EINTR: continue
      case EAGAIN:
        // Somebody made it non-blocking, for us too.
        var room = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&room, 1, -1)
      default: return error
      }
    }
    return 0
  }
}
