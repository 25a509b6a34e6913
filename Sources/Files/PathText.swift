// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The text form of paths.
///
/// A path consists of bytes, which need not be UTF-8. In a `String`, each byte that is not part of a well-formed character becomes the
/// scalar U+10FF00 + byte, at the end of the last private-use plane. So every path has exactly one text, and that text gives back its
/// bytes.
extension String {
  /// The text of a path or an argument that consists of these bytes.
  package init(pathBytes bytes: some Collection<UInt8>) {
    if let text = String(validating: bytes, as: UTF8.self), !text.unicodeScalars.contains(where: \.isPathByte) {
      self = text
      return
    }
    var scalars = UnicodeScalarView()
    var rest = Array(bytes)[...]
    while let first = rest.first {
      var iterator = rest.makeIterator()
      var decoder = UTF8()
      if case .scalarValue(let scalar) = decoder.decode(&iterator), !scalar.isPathByte {
        scalars.append(scalar)
        rest = rest.dropFirst(UTF8.width(scalar))
      } else {
        if let scalar = UnicodeScalar(0x10_FF00 + UInt32(first)) { scalars.append(scalar) }
        rest = rest.dropFirst()
      }
    }
    self.init(scalars)
  }

  /// The bytes of the path that this text stands for.
  package var pathBytes: [UInt8] {
    unicodeScalars.flatMap {
      $0.isPathByte ? [UInt8(truncatingIfNeeded: $0.value)] : Array(UTF8.encode($0) ?? UTF8.encodedReplacementCharacter)
    }
  }

  /// Calls `body` with the path as a C string.
  package func withPath<Result: ~Copyable, Failure: Error>(
    _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let bytes = (pathBytes + [0]).map { CChar(bitPattern: $0) }
    return try unsafe bytes.span.withUnsafeBufferPointer { (buffer) throws(Failure) in
      // The array holds at least the terminating zero.
      try unsafe body(buffer.baseAddress.unsafelyUnwrapped)
    }
  }

  /// Returns the path of the entry `name` in the folder with this path; the empty path is the current folder.
  package func entry(_ name: String) -> String { isEmpty || hasSuffix("/") ? self + name : self + "/" + name }

  /// The text made safe for one line of a message: characters that would control a terminal or break the line are escaped.
  package var oneLine: String {
    var result = ""
    for scalar in unicodeScalars { result += scalar.inOneLine }
    return result
  }

  /// The text in quotation marks, safe for one line, shortened to 100 characters.
  package var quoted: String {
    let limit = 100
    return "'" + String(unicodeScalars.prefix(limit)).oneLine + (unicodeScalars.count > limit ? "…'" : "'")
  }
}

extension UnicodeScalar {
  /// Whether it stands for a byte of a path.
  fileprivate var isPathByte: Bool { value >= 0x10_FF80 }

  fileprivate var inOneLine: String {
    if isPathByte { return "\\x\(String(value & 0xFF, radix: 16))" }
    return switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: "\\u{\(String(value, radix: 16))}"
    default: String(self)
    }
  }
}
