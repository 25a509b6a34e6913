// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Why reading a header stopped.
enum HeaderStop: Error {
  /// The file breaks a rule.
  case refused(GGUFError)
  /// The bytes at hand end before the header does: at least so many are needed from the file's start, because of `what` at `offset`.
  case needsBytes(Int, what: String, offset: Int)
}

/// Limits on what a header may hold. Those on strings, arrays, names and dimensions are llama.cpp's (`ggml/src/gguf.cpp`); the others
/// bound the memory that a hostile file can make a reader take.
enum GGUFLimits {
  static let stringByteCount = 1 << 30
  static let arrayElements = 1 << 30
  static let nameByteCount = 63
  static let dimensions = 4
  static let keys = 1 << 16
  static let tensors = 1 << 18
  /// Several times the header of a model with the largest vocabulary.
  static let headerByteCount = 1 << 26
  /// Headers of all parts with the padding in front of their data: what a pack keeps of them, and its readers hold in memory.
  static let paddedHeaderByteCount = 1 << 27
  /// No tensor ends beyond this, so that padding and adding its start cannot overflow.
  static let dataByteCount = 1 << 62
}

/// Reads little-endian values from the front part of a file, never past its end.
struct ByteCursor: ~Escapable {
  let bytes: RawSpan
  /// What errors name.
  let file: String
  /// The whole file's size, at least that of `bytes`.
  let fileByteCount: Int
  /// - Invariant: `0...bytes.byteCount`.
  private(set) var offset = 0

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, file: String, fileByteCount: Int) {
    self.bytes = bytes.extracting(first: max(0, fileByteCount))
    self.file = file
    self.fileByteCount = max(0, fileByteCount)
  }

  /// The stop for a defect at `offset`, the current position unless given.
  func refusal(_ defect: GGUFDefect, at offset: Int? = nil) -> HeaderStop {
    .refused(.malformed(file: file, offset: offset ?? self.offset, defect: defect))
  }

  /// Steps over `count` bytes, which is not negative, and returns where they start.
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

  /// Reads an integer of the file's byte order (little endian).
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

  /// Reads the count of things that take at least `bytesEach` bytes of the file.
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

  /// Reads a string: a 64-bit length and that many bytes. Returns where its bytes lie.
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

  /// A copy of the bytes in `range`.
  func copy(_ range: Range<Int>) -> [UInt8] {
    unsafe bytes.extracting(range).withUnsafeBytes { unsafe Array($0) }
  }
}

extension RawSpan {
  /// The byte at `index`.
  func byte(at index: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self)
  }

  /// The bytes as text, or nil if they are not UTF-8.
  func text() -> String? {
    unsafe withUnsafeBytes { buffer in unsafe String(validating: buffer, as: UTF8.self) }
  }
}
