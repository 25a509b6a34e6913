// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import SystemPackage

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

  /// Reads what there is, at most `limit` bytes, and waits until there is some.
  ///
  /// - Returns: The bytes; none at the end.
  /// - Throws: `Errno.interrupted` if a signal came first, of those watched so that they end reads.
  package func read(upTo limit: Int) throws(Errno) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: limit)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(rawValue, $0.baseAddress, $0.count) }
      if count >= 0 {
        buffer.removeSubrange(count...)
        return buffer
      }
      let error = Errno(rawValue: errno)
      guard error == .resourceTemporarilyUnavailable else { throw error }
      // Another process made it non-blocking, for us too.
      var input = pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&input, 1, -1) >= 0 else { throw Errno(rawValue: errno) }
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
