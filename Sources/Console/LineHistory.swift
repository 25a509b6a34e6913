// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc

/// The texts that a person has typed in earlier sessions, in a file that only they can read, one line per text.
///
/// A line end within a text is written `\n`, and a backslash `\\`. Several sessions may append to the file at the same time.
package struct LineHistory: Sendable {
  /// The number of texts kept. When the file has more than twice as many, the older ones are dropped.
  package static let limit = 1000
  /// A file with more bytes is not a history.
  private static let byteLimit = 16 << 20

  private let path: String
  /// The texts, oldest first.
  package let texts: [String]

  /// Reads a program's history `name`, from `XDG_STATE_HOME` or `~/.local/state`.
  ///
  /// The result is nil if there is no such place, or if the file there is not a regular file of this user.
  package init?(_ name: String, of program: String) {
    func folder(_ variable: String) -> String? {
      let value = unsafe getenv(variable).map { unsafe String(cString: $0) }
      return value?.hasPrefix("/") == true ? value : nil
    }
    guard let state = folder("XDG_STATE_HOME") ?? folder("HOME").map({ $0 + "/.local/state" }) else { return nil }
    self.init(state + "/" + program + "/" + name)
  }

  /// Reads the history in a file, which need not exist yet; its folders are created.
  init?(_ path: String) {
    self.path = path
    Self.makeFolders(of: path)
    guard let file = Self.open(path, O_RDWR | O_CREAT) else { return nil }
    defer { close(file) }
    guard let bytes = Self.bytes(file) else { return nil }
    let lines = bytes.split(separator: UInt8(ascii: "\n")).map { Self.text(String(decoding: $0, as: UTF8.self)) }
    texts = Array(lines.suffix(Self.limit))
    guard lines.count > 2 * Self.limit, let new = Self.open(path + ".new", O_WRONLY | O_CREAT | O_EXCL) else { return }
    let isWritten = Self.write(texts.map(Self.line).joined(), to: new)
    close(new)
    // The texts are in memory in any case. If the file could not be shortened, it stays as it was.
    if isWritten, Self.rename(path + ".new", to: path) { return }
    unsafe (path + ".new").withPath { _ = unsafe unlink($0) }
  }

  /// Adds a text.
  package func append(_ text: String) {
    guard let file = Self.open(path, O_WRONLY | O_APPEND | O_CREAT) else { return }
    _ = Self.write(Self.line(text), to: file)
    close(file)
  }

  /// Opens a file of this user, and makes sure that others cannot read it. Links are not followed.
  private static func open(_ path: String, _ flags: CInt) -> CInt? {
    let file = unsafe path.withPath { unsafe Glibc.open($0, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600) }
    guard file >= 0 else { return nil }
    var status = stat()
    guard unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
      status.st_mode & 0o077 == 0 || fchmod(file, 0o600) == 0
    else {
      close(file)
      return nil
    }
    return file
  }

  private static func rename(_ old: String, to new: String) -> Bool {
    unsafe old.withPath { old in unsafe new.withPath { new in unsafe Glibc.rename(old, new) } } == 0
  }

  private static func makeFolders(of path: String) {
    for (index, character) in zip(path.indices, path).dropFirst() where character == "/" {
      _ = unsafe String(path[..<index]).withPath { unsafe mkdir($0, 0o700) }
    }
  }

  private static func bytes(_ file: CInt) -> [UInt8]? {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0, all.count <= byteLimit else { return nil }
      if count == 0 { return all }
      all += buffer[..<count]
    }
  }

  private static func write(_ text: String, to file: CInt) -> Bool {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  private static func line(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n") + "\n"
  }

  private static func text(_ line: String) -> String {
    var text = ""
    var rest = line.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "\\", let next = rest.popFirst() else {
        text.unicodeScalars.append(scalar)
        continue
      }
      text.unicodeScalars.append(next == "n" ? "\n" : next)
    }
    return text
  }
}
