// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The reason why reading a header stopped.
enum HeaderStop: Error {
  /// The file breaks a rule.
  case refused(GGUFError)
  /// The available bytes end before the header does. At least this many bytes from the file's start are needed, because of `what` at
  /// `offset`.
  case needsBytes(Int, what: String, offset: Int)
}

/// Limits on what a header may hold.
///
/// Those on strings, arrays, names and dimensions are llama.cpp's (`ggml/src/gguf.cpp`). The others bound the memory that a hostile file
/// can make a reader allocate.
package enum GGUFLimits {
  static let stringByteCount = 1 << 30
  static let arrayElements = 1 << 30
  static let nameByteCount = 63
  static let dimensions = 4
  static let keys = 1 << 16
  static let tensors = 1 << 18
  /// Several times the header size of a model with the largest known vocabulary.
  static let headerByteCount = 1 << 26
  /// The headers of all parts including the padding before their data, which a pack keeps and its readers hold in memory.
  static let paddedHeaderByteCount = 1 << 27
  /// No tensor ends beyond this offset, so padding it and adding its start cannot overflow.
  package static let dataByteCount = 1 << 62
}

/// A reader of little-endian values that never reads past the end of its bytes.
struct ByteCursor: ~Escapable {
  let bytes: RawSpan
  /// The name of the file in errors.
  let file: String
  /// The size of the whole file, at least that of `bytes`.
  let fileByteCount: Int
  /// - Invariant: `0...bytes.byteCount`.
  private(set) var offset = 0

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, file: String, fileByteCount: Int) {
    self.bytes = bytes.extracting(first: max(0, fileByteCount))
    self.file = file
    self.fileByteCount = max(0, fileByteCount)
  }

  /// Returns the stop for a defect at `offset`, by default the current position.
  func refusal(_ defect: GGUFDefect, at offset: Int? = nil) -> HeaderStop {
    .refused(.malformed(file: file, offset: offset ?? self.offset, defect: defect))
  }

  /// Steps over `count` bytes (not negative) and returns the offset of the first.
  mutating func skip(_ count: Int, _ what: @autoclosure () -> String) throws(HeaderStop) -> Int {
    guard count <= bytes.byteCount - offset else {
      guard count <= fileByteCount - offset else {
        throw .refused(.truncated(file: file, offset: offset, what: what(), needed: count, left: fileByteCount - offset))
      }
      throw .needsBytes(offset + count, what: what(), offset: offset)
    }
    defer { offset += count }
    return offset
  }

  /// Reads a little-endian integer, the byte order of the format.
  mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    _: Value.Type = Value.self, of what: @autoclosure () -> String
  ) throws(HeaderStop) -> Value {
    let start = try skip(MemoryLayout<Value>.size, what())
    return Value(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start, as: Value.self))
  }

  /// Reads a count or length stored as 64 bits; refuses one that is negative or over `limit`.
  mutating func count(_ what: @autoclosure () -> String, limit: Int) throws(HeaderStop) -> Int {
    let start = offset
    let value = try integer(Int64.self, of: what())
    guard value >= 0 else { throw refusal(.negative(what: what(), value: value), at: start) }
    guard value <= limit else { throw refusal(.tooMany(what: what(), value: value, limit: limit, holder: .format), at: start) }
    return Int(value)
  }

  /// Reads the number of items that take at least `bytesEach` bytes of the file each.
  mutating func count(_ what: @autoclosure () -> String, bytesEach: Int, limit: Int) throws(HeaderStop) -> Int {
    let start = offset
    let count = try count(what(), limit: Int.max)
    let possible = (fileByteCount - offset) / bytesEach
    guard count <= possible else {
      throw refusal(
        .tooMany(what: what(), value: Int64(count), limit: possible, holder: .file(byteCount: fileByteCount)), at: start)
    }
    guard count <= limit else {
      throw refusal(.tooMany(what: what(), value: Int64(count), limit: limit, holder: .format), at: start)
    }
    return count
  }

  /// Reads a string, which is a 64-bit length and that many bytes, and returns the range of its bytes.
  mutating func string(_ what: @autoclosure () -> String) throws(HeaderStop) -> Range<Int> {
    let length = try count("the length of \(what())", limit: GGUFLimits.stringByteCount)
    let start = try skip(length, what())
    return start..<start + length
  }

  /// Reads the name of a key or a tensor: UTF-8 without NUL.
  mutating func name(_ what: @autoclosure () -> String) throws(HeaderStop) -> String {
    let start = offset
    let range = try string(what())
    for index in range where bytes.byte(at: index) == 0 { throw refusal(.nul(what: what()), at: start) }
    guard let text = bytes.extracting(range).text() else { throw refusal(.notUTF8(what: what()), at: start) }
    return text
  }

  /// Returns a copy of the bytes in `range`.
  func copy(_ range: Range<Int>) -> [UInt8] {
    unsafe bytes.extracting(range).withUnsafeBytes { unsafe Array($0) }
  }
}

extension RawSpan {
  /// Returns the byte at `index`.
  func byte(at index: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self)
  }

  /// Returns the bytes as text, or nil if they are not UTF-8.
  func text() -> String? {
    unsafe withUnsafeBytes { buffer in unsafe String(validating: buffer, as: UTF8.self) }
  }
}
