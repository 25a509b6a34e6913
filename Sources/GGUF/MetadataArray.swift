// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// An array of a GGUF's metadata, kept as the bytes it has in the file.
///
/// A vocabulary has hundreds of thousands of strings, so they are decoded only when a caller asks for them.
public struct MetadataArray: Sendable, Hashable {
  /// The type of the elements; never `array`, because nested arrays are refused.
  public let elementType: MetadataType
  /// The number of elements.
  public let count: Int
  /// The elements as in the file; each string is preceded by its length as 64 bits.
  package let bytes: [UInt8]

  /// - Precondition: `bytes` holds exactly `count` elements.
  init(elementType: MetadataType, count: Int, bytes: [UInt8]) {
    self.elementType = elementType
    self.count = count
    self.bytes = bytes
  }

  /// An array of strings.
  public init(strings: some Collection<String>) {
    self.init(byteStrings: strings.map { Array($0.utf8) })
  }

  /// An array of strings that need not be UTF-8.
  public init(byteStrings: some Collection<[UInt8]>) {
    var bytes: [UInt8] = []
    for string in byteStrings {
      bytes.append(littleEndian: UInt64(string.count))
      bytes += string
    }
    self.init(elementType: .string, count: byteStrings.count, bytes: bytes)
  }

  /// An array of floats.
  public init(floats: some Collection<Float>) {
    var bytes: [UInt8] = []
    for value in floats { bytes.append(littleEndian: value.bitPattern) }
    self.init(elementType: .float32, count: floats.count, bytes: bytes)
  }

  /// An array of 32-bit integers.
  public init(int32s: some Collection<Int32>) {
    var bytes: [UInt8] = []
    for value in int32s { bytes.append(littleEndian: value) }
    self.init(elementType: .int32, count: int32s.count, bytes: bytes)
  }

  /// An array of booleans.
  public init(bools: some Collection<Bool>) {
    self.init(elementType: .bool, count: bools.count, bytes: bools.map { $0 ? 1 : 0 })
  }

  /// The bytes of every string in order, without copies; nil if the elements are not strings.
  public var byteStrings: ByteStrings? { elementType == .string ? ByteStrings(self) : nil }

  /// The strings; nil if the elements are not strings or one is not UTF-8.
  public var strings: [String]? {
    guard let slices = byteStrings else { return nil }
    var result: [String] = []
    result.reserveCapacity(count)
    for slice in slices {
      guard let text = String(validating: slice, as: UTF8.self) else { return nil }
      result.append(text)
    }
    return result
  }

  /// The elements as floats; nil if they are not floats.
  public var floats: [Float]? {
    switch elementType {
    case .float32: values(UInt32.self).map { Float(bitPattern: $0) }
    case .float64: values(UInt64.self).map { Float(Double(bitPattern: $0)) }
    default: nil
    }
  }

  /// The elements as integers; nil if they are not integers or one does not fit.
  public var integers: [Int]? {
    switch elementType {
    case .uint8: values(UInt8.self).map { Int($0) }
    case .int8: values(Int8.self).map { Int($0) }
    case .uint16: values(UInt16.self).map { Int($0) }
    case .int16: values(Int16.self).map { Int($0) }
    case .uint32: values(UInt32.self).map { Int($0) }
    case .int32: values(Int32.self).map { Int($0) }
    case .int64: values(Int64.self).map { Int($0) }
    case .uint64:
      values(UInt64.self).allSatisfy { $0 <= Int.max } ? values(UInt64.self).map { Int($0) } : nil
    case .float32, .float64, .bool, .string, .array: nil
    }
  }

  /// The elements as booleans; nil if they are not booleans.
  public var bools: [Bool]? {
    elementType == .bool ? bytes.map { $0 != 0 } : nil
  }

  /// - Precondition: `Value` has the size of the elements, so that `bytes` holds exactly `count` of them.
  private func values<Value: FixedWidthInteger & BitwiseCopyable>(_: Value.Type) -> [Value] {
    let span = unsafe bytes.span.bytes
    return (0..<count).map { index in
      Value(littleEndian: unsafe span.unsafeLoadUnaligned(fromByteOffset: index * MemoryLayout<Value>.size, as: Value.self))
    }
  }
}

extension [UInt8] {
  /// Appends the bytes of an integer, least significant first.
  package mutating func append(littleEndian value: some FixedWidthInteger) {
    var rest = value.littleEndian
    unsafe Swift.withUnsafeBytes(of: &rest) { unsafe append(contentsOf: $0) }
  }
}
