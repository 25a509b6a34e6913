// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// A parser of a GGUF header that refuses whatever breaks the rules of the format.
struct HeaderReader: ~Escapable {
  private var cursor: ByteCursor
  private let siblingAlignment: Int?

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, file: String, fileByteCount: Int, siblingAlignment: Int?) {
    cursor = ByteCursor(bytes, file: file, fileByteCount: fileByteCount)
    self.siblingAlignment = siblingAlignment
  }

  mutating func header() throws(HeaderStop) -> GGUFHeader {
    let version = try magicAndVersion()
    // A tensor's description takes at least 25 bytes, a key with its value at least 14.
    let tensorCount = try cursor.count("the number of tensors", bytesEach: 25, limit: GGUFLimits.tensors)
    let keyCount = try cursor.count("the number of keys", bytesEach: 14, limit: GGUFLimits.keys)
    let (metadata, declaredAlignment) = try metadata(count: keyCount)
    var placement = TensorPlacement(declared: declaredAlignment, sibling: siblingAlignment)
    let tensors = try tensors(count: tensorCount, placement: &placement)
    let end = cursor.offset
    let alignment = placement.alignment(headerByteCount: end, fileByteCount: cursor.fileByteCount)
    return GGUFHeader(
      version: version, alignment: alignment, metadata: metadata, tensors: tensors, byteCount: end,
      dataOffset: end.roundedUp(toMultipleOf: alignment), dataByteCount: placement.end)
  }

  private mutating func magicAndVersion() throws(HeaderStop) -> Int {
    guard try cursor.integer(UInt32.self, of: "the magic") == 0x4655_4747 else { throw cursor.refusal(.magic, at: 0) }
    let start = cursor.offset
    let version = try cursor.integer(UInt32.self, of: "the version")
    if version == 2 || version == 3 { return Int(version) }
    let isSwapped = version != 0 && version & 0xFFFF == 0
    throw cursor.refusal(isSwapped ? .bigEndian : .version(version), at: start)
  }

  // MARK: Keys

  private mutating func metadata(count: Int) throws(HeaderStop) -> (GGUFMetadata, alignment: Int?) {
    var metadata = GGUFMetadata()
    var alignment: Int?
    for index in 0..<count {
      let start = cursor.offset
      let key = try cursor.name("the name of key \(index)")
      guard !key.isEmpty else { throw cursor.refusal(.emptyKey(index: index), at: start) }
      guard metadata[key] == nil else { throw cursor.refusal(.duplicateKey(key), at: start) }
      let valueStart = cursor.offset
      let value = try value(of: key)
      if key == "general.alignment" { alignment = try self.alignment(value, at: valueStart) }
      metadata[key] = value
    }
    return (metadata, alignment)
  }

  private func alignment(_ value: MetadataValue, at offset: Int) throws(HeaderStop) -> Int {
    guard case .uint32(let alignment) = value else { throw cursor.refusal(.alignmentType(value.type), at: offset) }
    guard Int(alignment).isPowerOfTwo else { throw cursor.refusal(.alignment(alignment), at: offset) }
    return Int(alignment)
  }

  private mutating func type(_ what: @autoclosure () -> String) throws(HeaderStop) -> MetadataType {
    let start = cursor.offset
    let number = try cursor.integer(UInt32.self, of: "the type of \(what())")
    guard let type = MetadataType(rawValue: number) else {
      throw cursor.refusal(.valueType(what: what(), number: number), at: start)
    }
    return type
  }

  private mutating func value(of key: String) throws(HeaderStop) -> MetadataValue {
    let what = "the key \(key.quoted)"
    switch try type(what) {
    case .uint8: return .uint8(try cursor.integer(of: what))
    case .int8: return .int8(try cursor.integer(of: what))
    case .uint16: return .uint16(try cursor.integer(of: what))
    case .int16: return .int16(try cursor.integer(of: what))
    case .uint32: return .uint32(try cursor.integer(of: what))
    case .int32: return .int32(try cursor.integer(of: what))
    case .uint64: return .uint64(try cursor.integer(of: what))
    case .int64: return .int64(try cursor.integer(of: what))
    case .float32: return .float32(Float(bitPattern: try cursor.integer(of: what)))
    case .float64: return .float64(Double(bitPattern: try cursor.integer(of: what)))
    case .bool:
      // Some files hold other bytes than 0 and 1, and every reader treats these as true.
      let start = try cursor.skip(1, what)
      return .bool(cursor.bytes.byte(at: start) != 0)
    case .string: return .string(cursor.copy(try cursor.string(what)))
    case .array: return .array(try array(of: key, what))
    }
  }

  private mutating func array(of key: String, _ what: String) throws(HeaderStop) -> MetadataArray {
    let start = cursor.offset
    let type = try type("an element of \(what)")
    guard type != .array else { throw cursor.refusal(.nestedArray(key: key), at: start) }
    // A string takes at least the eight bytes of its length.
    let count = try cursor.count(
      "the number of elements of \(what)", bytesEach: type.byteCount ?? 8, limit: GGUFLimits.arrayElements)
    let first = cursor.offset
    if let size = type.byteCount {
      _ = try cursor.skip(count * size, what)
    } else {
      for _ in 0..<count { _ = try cursor.string("a string of \(what)") }
    }
    return MetadataArray(elementType: type, count: count, bytes: cursor.copy(first..<cursor.offset))
  }

  // MARK: Tensors

  private mutating func tensors(count: Int, placement: inout TensorPlacement) throws(HeaderStop) -> [GGUFTensor] {
    var tensors: [GGUFTensor] = []
    var names: Set<String> = []
    for index in 0..<count {
      let start = cursor.offset
      let (tensor, offsetStart) = try self.tensor(index)
      guard names.insert(tensor.name).inserted else { throw cursor.refusal(.duplicateTensor(tensor.name), at: start) }
      if let defect = placement.place(tensor) { throw cursor.refusal(defect, at: offsetStart) }
      tensors.append(tensor)
    }
    return tensors
  }

  private mutating func tensor(_ index: Int) throws(HeaderStop) -> (GGUFTensor, offsetStart: Int) {
    let name = try tensorName(index)
    let dimensionsStart = cursor.offset
    let dimensions = try dimensions(of: name)
    let typeStart = cursor.offset
    let number = try cursor.integer(UInt32.self, of: "the type of \(name.quoted)")
    guard let type = WeightType(rawValue: number) else {
      throw cursor.refusal(.weightType(tensor: name, number: number), at: typeStart)
    }
    guard dimensions[0] % type.blockElements == 0 else {
      throw cursor.refusal(.brokenRow(tensor: name, elements: dimensions[0], type: type), at: dimensionsStart)
    }
    let rows = dimensions.count > 1 ? dimensions[1] : 1
    guard rows % type.groupRows == 0 else {
      throw cursor.refusal(.brokenGroup(tensor: name, rows: rows, type: type), at: dimensionsStart)
    }
    let offsetStart = cursor.offset
    let offset = try cursor.count("the offset of \(name.quoted)", limit: Int.max)
    guard let tensor = GGUFTensor(name: name, type: type, dimensions: dimensions, offset: offset) else {
      throw cursor.refusal(.overflow(tensor: name), at: dimensionsStart)
    }
    return (tensor, offsetStart)
  }

  private mutating func tensorName(_ index: Int) throws(HeaderStop) -> String {
    let start = cursor.offset
    let name = try cursor.name("the name of tensor \(index)")
    guard !name.isEmpty else { throw cursor.refusal(.emptyTensorName(index: index), at: start) }
    let byteCount = name.utf8.count
    guard byteCount <= GGUFLimits.nameByteCount else {
      throw cursor.refusal(.longTensorName(index: index, byteCount: byteCount), at: start)
    }
    return name
  }

  private mutating func dimensions(of name: String) throws(HeaderStop) -> [Int] {
    let start = cursor.offset
    let count = try cursor.integer(UInt32.self, of: "the number of dimensions of \(name.quoted)")
    guard count <= GGUFLimits.dimensions else { throw cursor.refusal(.dimensionCount(tensor: name, count: count), at: start) }
    var dimensions: [Int] = []
    for index in 0..<Int(count) {
      let start = cursor.offset
      let size = try cursor.integer(Int64.self, of: "dimension \(index) of \(name.quoted)")
      guard size >= 0 else { throw cursor.refusal(.dimension(tensor: name, index: index, size: size), at: start) }
      dimensions.append(Int(size))
    }
    // ggml counts no dimensions as a single element.
    return dimensions.isEmpty ? [1] : dimensions
  }
}
