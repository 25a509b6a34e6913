// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import Files
import Glibc
import SystemPackage

/// Reads texts from files and standard input.
package enum TextInput {
  /// The limit on the length of a text. No context holds more, and endless input must not be read until memory runs out.
  package static let limit = ByteCount(limitByteCount)
  package static let limitByteCount = 64 << 20
  private static let pieceByteCount = 1 << 16

  /// Returns the text of a file, which must be UTF-8; `-` reads standard input.
  package static func read(_ path: String) throws -> String {
    try decode(bytes(path), path == "-" ? "standard input" : path)
  }

  /// Returns the text of a file as a prompt, without the line end that editors and `echo` add at the end.
  package static func prompt(_ path: String) throws -> String {
    let text = try read(path)
    return text.last == "\n" || text.last == "\r\n" ? String(text.dropLast()) : text
  }

  /// Returns token ids that are separated by commas or white space; `-` reads them from standard input.
  ///
  /// - Parameter limit: The bound that the ids must be below; nil if they are checked later.
  package static func tokenIDs(_ list: String, below limit: Int? = nil) throws -> [Int32] {
    let list = list == "-" ? try read(list) : list
    return try list.split { $0 == "," || $0.isWhitespace }.map { word in
      guard let id = Int32(word) else { throw Failure("--ids: '\(word)' is not a token id") }
      if let limit, id < 0 || Int(id) >= limit {
        throw Failure("--ids: \(id) is not a token: the vocabulary has tokens 0 to \(limit - 1)")
      }
      return id
    }
  }

  /// Returns all bytes of a file.
  package static func bytes(_ path: String) throws -> [UInt8] {
    guard path != "-" else {
      return try drain("standard input") { () throws(Errno) in try StandardStream.input.read(upTo: pieceByteCount) }
    }
    let file = unsafe path.withPath { unsafe open($0, O_RDONLY | O_CLOEXEC) }
    guard file >= 0 else { throw Failure.system(path, "open it", errno: errno) }
    defer { close(file) }
    var status = stat()
    guard unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
      throw Failure("\(path): this is a folder, not a text file")
    }
    return try drain(path) { () throws(Errno) in try read(file) }
  }

  /// Decodes UTF-8, and throws if the bytes are not UTF-8.
  package static func decode(_ bytes: [UInt8], _ name: String) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Failure("\(name): not UTF-8 at byte \(validPrefix(bytes)); convert it, for example with iconv")
    }
    return text
  }

  /// Replaces the escapes that `-e` enables; other backslashes stay.
  package static func unescape(_ bytes: [UInt8]) -> [UInt8] {
    let named: [UInt8: UInt8] = [
      UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09, UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "\""): 0x22,
      UInt8(ascii: "'"): 0x27,
    ]
    var result: [UInt8] = []
    var rest = bytes[...]
    while let byte = rest.popFirst() {
      if byte == 0x5C, let next = rest.first, let meant = named[next] {
        result.append(meant)
        rest.removeFirst()
      } else if byte == 0x5C, rest.first == UInt8(ascii: "x"),
        let code = UInt8(String(decoding: rest.dropFirst().prefix(2), as: UTF8.self), radix: 16), rest.count >= 3
      {
        result.append(code)
        rest.removeFirst(3)
      } else {
        result.append(byte)
      }
    }
    return result
  }

  /// Returns the length of the longest well-formed beginning, in bytes.
  private static func validPrefix(_ bytes: [UInt8]) -> Int {
    var (decoder, iterator, count) = (UTF8(), bytes.makeIterator(), 0)
    while case .scalarValue(let scalar) = decoder.decode(&iterator) { count += UTF8.width(scalar) }
    return count
  }

  /// Reads with `read` until it returns no bytes, and returns everything.
  private static func drain(_ name: String, _ read: () throws(Errno) -> [UInt8]) throws -> [UInt8] {
    var all: [UInt8] = []
    while true {
      do {
        let piece = try read()
        if piece.isEmpty { return all }
        all += piece
      } catch .interrupted {
        continue
      } catch {
        throw Failure.system(name, "read it", errno: error.rawValue)
      }
      guard all.count <= limitByteCount else { throw Failure("\(name): the text is longer than \(limit); give a part of it") }
    }
  }

  private static func read(_ file: CInt) throws(Errno) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: pieceByteCount)
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
    guard count >= 0 else { throw Errno(rawValue: errno) }
    buffer.removeSubrange(count...)
    return buffer
  }
}
