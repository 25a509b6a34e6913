// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

/// packrun with its standard streams on a pseudo-terminal.
final class Conversation {
  let process = Process()
  private let terminal: FileHandle
  private var seen = ""
  /// The output before the text that was found last.
  private(set) var skipped = ""

  init(_ arguments: [String]) throws {
    // Linux's own calls: Swift's Glibc module does not offer posix_openpt and related functions.
    let (unlock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
    let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var (isLocked, number): (CInt, CInt) = (0, 0)
    try #require(master >= 0 && ioctl(master, unlock, &isLocked) == 0 && ioctl(master, getNumber, &number) == 0)
    let slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    try #require(slave >= 0)
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    terminal = FileHandle(fileDescriptor: master, closeOnDealloc: true)
    let end = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
    process.executableURL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "packrun")
    process.arguments = arguments
    (process.standardInput, process.standardOutput, process.standardError) = (end, end, end)
    try process.run()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  func type(_ line: String) {
    var rest = Array((line + "\n").utf8)[...]
    let deadline = ContinuousClock().now + .seconds(30)
    while !rest.isEmpty, ContinuousClock().now < deadline {
      // The terminal accepts as much as the program has room for. Its output must be read, or it accepts no more.
      let count = rest.withUnsafeBytes { write(terminal.fileDescriptor, $0.baseAddress, min($0.count, 512)) }
      if count > 0 { rest = rest.dropFirst(count) }
      collect()
    }
  }

  /// Whether the terminal collects lines and echoes keys, as it does by default.
  var isAsItWas: Bool {
    var state = termios()
    guard tcgetattr(terminal.fileDescriptor, &state) == 0 else { return false }
    return state.c_lflag & tcflag_t(ICANON | ECHO) == tcflag_t(ICANON | ECHO)
  }

  private func collect() {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes { read(terminal.fileDescriptor, $0.baseAddress, $0.count) }
    if count > 0 { seen += String(decoding: buffer[..<count], as: UTF8.self) } else { usleep(5000) }
  }

  /// Sends the signal of Ctrl-C.
  func interrupt() { kill(process.processIdentifier, SIGINT) }

  /// Reads until `text` has arrived, and drops everything up to its end.
  func expect(_ text: String, seconds: Double = 30) -> Bool {
    let deadline = ContinuousClock().now + .seconds(seconds)
    while true {
      if let range = seen.range(of: text) {
        skipped = String(seen[..<range.lowerBound])
        seen = String(seen[range.upperBound...])
        return true
      }
      guard ContinuousClock().now < deadline else { return false }
      collect()
    }
  }
}
