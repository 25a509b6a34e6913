/// Reads little-endian values from bytes, front to back, never past their end.
struct ByteCursor: ~Escapable {
  let bytes: RawSpan
  /// What errors name.
  let file: String
  private(set) var offset = 0

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, file: String) {
    self.bytes = bytes
    self.file = file
  }

  var remaining: Int { bytes.byteCount - offset }

  /// The error for a problem at `offset`, the current position unless given.
  func malformed(_ problem: String, at offset: Int? = nil) -> GGUFError {
    .malformed(file: file, offset: offset ?? self.offset, problem: problem)
  }

  /// Steps over `count` bytes and returns where they start.
  mutating func skip(_ count: Int, _ what: @autoclosure () -> String) throws(GGUFError) -> Int {
    guard count >= 0, count <= remaining else {
      throw .truncated(file: file, offset: offset, what: what(), needed: count, left: remaining)
    }
    defer { offset += count }
    return offset
  }

  /// Reads an integer of the file's byte order (little endian).
  mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    _: Value.Type = Value.self, of what: @autoclosure () -> String
  ) throws(GGUFError) -> Value {
    let start = try skip(MemoryLayout<Value>.size, what())
    return Value(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start, as: Value.self))
  }

  /// Reads a count or length stored as 64 bits; refuses one that is negative or over `limit`.
  mutating func count(_ what: @autoclosure () -> String, limit: Int) throws(GGUFError) -> Int {
    let start = offset
    let value = try integer(Int64.self, of: what())
    guard value >= 0 else { throw malformed("\(what()) is negative (\(value))", at: start) }
    guard value <= limit else {
      throw malformed(
        "\(what()) is \(value), more than the \(limit) that this file could hold; it is cut short or damaged", at: start)
    }
    return Int(value)
  }

  /// Reads a string: a 64-bit length and that many bytes. Returns where its bytes lie.
  mutating func string(_ what: @autoclosure () -> String) throws(GGUFError) -> Range<Int> {
    let length = try count("the length of \(what())", limit: GGUFLimits.stringByteCount)
    let start = try skip(length, what())
    return start..<start + length
  }

  /// Reads a string of a key or a tensor name: UTF-8 without NUL.
  mutating func name(_ what: @autoclosure () -> String) throws(GGUFError) -> String {
    let start = offset
    let range = try string(what())
    let raw = bytes.extracting(range)
    for index in 0..<raw.byteCount where raw.byte(at: index) == 0 {
      throw malformed("\(what()) contains a NUL", at: start)
    }
    guard let text = raw.text() else { throw malformed("\(what()) is not UTF-8", at: start) }
    return text
  }
}

/// Limits that llama.cpp sets too (`ggml/src/gguf.cpp`).
enum GGUFLimits {
  static let stringByteCount = 1 << 30
  static let arrayElements = 1 << 30
  static let nameByteCount = 63
  static let dimensions = 4
}

extension RawSpan {
  /// The byte at `index`.
  func byte(at index: Int) -> UInt8 {
    precondition(index >= 0 && index < byteCount)
    return unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self)
  }

  /// The bytes as text, or nil if they are not UTF-8.
  func text() -> String? {
    unsafe withUnsafeBytes { buffer in unsafe String(validating: buffer, as: UTF8.self) }
  }
}
