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

  /// Opens /dev/null on each stream that the caller left closed, as some services do.
  ///
  /// Otherwise the next file to be opened, perhaps a pack, would get the free number and receive what the program prints. Call this before
  /// anything else opens a file.
  package static func openMissing() {
    for stream in allCases where fcntl(stream.rawValue, F_GETFD) < 0 && errno == EBADF {
      // `open` returns the lowest free number, which is this one.
      _ = unsafe open("/dev/null", O_RDWR)
    }
  }

  /// Waits for data, and reads at most `limit` bytes of it.
  ///
  /// - Returns: The bytes; empty at the end of the input.
  /// - Throws: `Errno.interrupted` if a signal arrived first that is watched with `endsReads`.
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
      // Another process made the stream non-blocking, which affects this one too.
      var input = pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&input, 1, -1) >= 0 else { throw Errno(rawValue: errno) }
    }
  }

  /// Writes all of `bytes`, despite signals and full pipes.
  ///
  /// - Returns: 0, or the errno of the failure.
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
        // Another process made the stream non-blocking, which affects this one too.
        var room = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&room, 1, -1)
      default: return error
      }
    }
    return 0
  }
}
