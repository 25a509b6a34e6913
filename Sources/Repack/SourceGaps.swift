import GGUF
import PackFormat

/// The source's bytes that belong to no header and no tensor: padding between tensors, and whatever follows the last one.
///
/// Nearly always zeros, but a restored file must be equal to the last bit.
struct SourceGaps: Sendable {
  /// The gaps of all parts, one after another.
  let bytes: [UInt8]

  /// Whether nothing needs to be kept.
  var isZero: Bool { bytes.allSatisfy { $0 == 0 } }

  /// More than this behind the last tensor is no padding, and too much to be kept aside.
  private static let trailingLimit = 1 << 26

  /// Reads the gaps of `model`'s files.
  init(_ model: GGUFModel) throws(PackError) {
    var bytes: [UInt8] = []
    for part in model.parts {
      for range in Self.ranges(of: part) {
        guard range.count <= Self.trailingLimit else {
          throw .invalid(
            file: part.path,
            problem: "at byte \(range.lowerBound): \(range.count) bytes follow that belong to no tensor; remove them")
        }
        bytes += try Self.read(part, range)
      }
    }
    self.bytes = bytes
  }

  /// The gaps of a part, in its order.
  static func ranges(of part: GGUFPart) -> [Range<Int>] {
    ranges(of: part.header, byteCount: part.byteCount)
  }

  /// The gaps of a file of `byteCount` bytes with `header`.
  static func ranges(of header: GGUFHeader, byteCount: Int) -> [Range<Int>] {
    var end = min(header.dataOffset, byteCount)
    var ranges: [Range<Int>] = []
    for tensor in header.tensors {
      let start = header.dataOffset + tensor.offset
      if start > end { ranges.append(end..<start) }
      end = start + tensor.byteCount
    }
    if end < byteCount { ranges.append(end..<byteCount) }
    return ranges
  }

  /// Reads bytes of a part.
  static func read(_ part: GGUFPart, _ range: Range<Int>) throws(PackError) -> [UInt8] {
    let file = try PositionedFile(part.path, followsLinks: true)
    var buffer = ByteBuffer(capacity: range.count)
    try unsafe buffer.withMutableBytes(range.count) { (bytes) throws(PackError) in
      try unsafe file.read(range.lowerBound, into: bytes)
    }
    return buffer.withBytes(range.count) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
  }
}
