// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A GGUF assembled field by field, right or wrong, as the writer would never do it.
struct RawGGUF {
  private(set) var bytes: [UInt8] = []
  /// The offset of the field that a test is about.
  private(set) var mark = 0

  /// A header of version 3 that announces this many tensors and keys.
  init(tensors: Int64 = 0, keys: Int64 = 0) {
    raw(Array("GGUF".utf8))
    integer(UInt32(3))
    integer(tensors)
    integer(keys)
  }

  /// A file with just these bytes.
  init(bytes: [UInt8]) { self.bytes = bytes }

  /// Marks the next field as the one that the error must name.
  mutating func here() { mark = bytes.count }

  mutating func raw(_ more: [UInt8]) { bytes += more }

  mutating func integer(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  mutating func string(_ text: String) { string(Array(text.utf8)) }

  mutating func string(_ text: [UInt8]) {
    integer(UInt64(text.count))
    raw(text)
  }

  /// Adds a key with the number of its value type; its value follows.
  mutating func key(_ name: String, type: UInt32) {
    string(name)
    integer(type)
  }

  mutating func alignment(_ value: UInt32) {
    key("general.alignment", type: 4)
    integer(value)
  }

  /// Adds a tensor's description; F32 unless a type is given.
  mutating func tensor(_ name: String, _ dimensions: [Int64], type: UInt32 = 0, offset: UInt64 = 0) {
    string(name)
    integer(UInt32(dimensions.count))
    for size in dimensions { integer(size) }
    integer(type)
    integer(offset)
  }

  /// Pads to a multiple of `alignment` and appends `count` bytes of data.
  mutating func data(_ count: Int, alignment: Int = 32) {
    raw([UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment + count))
  }
}
