/// Reads a GGUF header and refuses whatever breaks the format's rules.
struct HeaderReader: ~Escapable {
  private var cursor: ByteCursor
  private let fileByteCount: Int

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, file: String, fileByteCount: Int) {
    cursor = ByteCursor(bytes, file: file)
    self.fileByteCount = fileByteCount
  }

  mutating func header() throws(GGUFError) -> GGUFHeader {
    let version = try magicAndVersion()
    // A tensor's description takes at least 25 bytes, a key with its value at least 13.
    let tensorCount = try cursor.count("the number of tensors", limit: fileByteCount / 25)
    let keyCount = try cursor.count("the number of keys", limit: fileByteCount / 13)
    let (metadata, alignment) = try metadata(count: keyCount)
    let (tensors, dataByteCount) = try tensors(count: tensorCount, alignment: alignment)
    let end = cursor.offset
    let dataOffset = (end + alignment - 1) / alignment * alignment
    return GGUFHeader(
      version: version, alignment: alignment, metadata: metadata, tensors: tensors, byteCount: end, dataOffset: dataOffset,
      dataByteCount: dataByteCount)
  }

  private mutating func magicAndVersion() throws(GGUFError) -> Int {
    let magic = try cursor.integer(UInt32.self, of: "the magic")
    guard magic == 0x4655_4747 else {
      throw cursor.malformed("this is no GGUF file: it does not begin with the letters GGUF", at: 0)
    }
    let version = try cursor.integer(UInt32.self, of: "the version")
    switch version {
    case 2, 3: return Int(version)
    case 1: throw cursor.malformed("GGUF version 1 is too old; convert the model again with a current converter", at: 4)
    case _ where version != 0 && version.byteSwapped <= 3:
      throw cursor.malformed("this GGUF is big-endian, and only little-endian ones are read", at: 4)
    default: throw cursor.malformed("GGUF version \(version) is unknown; versions 2 and 3 are read", at: 4)
    }
  }

  // MARK: Keys

  private mutating func metadata(count: Int) throws(GGUFError) -> (GGUFMetadata, alignment: Int) {
    var metadata = GGUFMetadata()
    var alignment = 32
    for index in 0..<count {
      let start = cursor.offset
      let key = try cursor.name("the name of key \(index)")
      guard !key.isEmpty else { throw cursor.malformed("the name of key \(index) is empty", at: start) }
      guard metadata[key] == nil else { throw cursor.malformed("the key \(key) occurs twice", at: start) }
      let valueStart = cursor.offset
      let value = try value(of: key)
      if key == "general.alignment" { alignment = try self.alignment(value, at: valueStart) }
      metadata[key] = value
    }
    return (metadata, alignment)
  }

  private func alignment(_ value: MetadataValue, at offset: Int) throws(GGUFError) -> Int {
    guard case .uint32(let alignment) = value else {
      throw cursor.malformed("general.alignment is of type \(value.type), not uint32", at: offset)
    }
    guard alignment > 0, alignment & (alignment - 1) == 0 else {
      throw cursor.malformed("general.alignment is \(alignment), which is no power of two", at: offset)
    }
    return Int(alignment)
  }

  private mutating func type(_ what: String) throws(GGUFError) -> MetadataType {
    let start = cursor.offset
    let number = try cursor.integer(UInt32.self, of: "the type of \(what)")
    guard let type = MetadataType(rawValue: number) else {
      throw cursor.malformed("\(what) is of the unknown type \(number)", at: start)
    }
    return type
  }

  private mutating func value(of key: String) throws(GGUFError) -> MetadataValue {
    switch try type(key) {
    case .uint8: return .uint8(try cursor.integer(of: key))
    case .int8: return .int8(try cursor.integer(of: key))
    case .uint16: return .uint16(try cursor.integer(of: key))
    case .int16: return .int16(try cursor.integer(of: key))
    case .uint32: return .uint32(try cursor.integer(of: key))
    case .int32: return .int32(try cursor.integer(of: key))
    case .uint64: return .uint64(try cursor.integer(of: key))
    case .int64: return .int64(try cursor.integer(of: key))
    case .float32: return .float32(Float(bitPattern: try cursor.integer(of: key)))
    case .float64: return .float64(Double(bitPattern: try cursor.integer(of: key)))
    case .bool:
      let start = cursor.offset
      let byte = try cursor.integer(UInt8.self, of: key)
      guard byte <= 1 else { throw cursor.malformed("the boolean \(key) is \(byte), neither 0 nor 1", at: start) }
      return .bool(byte == 1)
    case .string:
      let range = try cursor.string(key)
      return .string(copy(range))
    case .array: return .array(try array(of: key))
    }
  }

  private mutating func array(of key: String) throws(GGUFError) -> MetadataArray {
    let start = cursor.offset
    let type = try type("the elements of \(key)")
    guard type != .array else { throw cursor.malformed("\(key) is an array of arrays, which is not supported", at: start) }
    let countStart = cursor.offset
    let count = try cursor.count("the length of \(key)", limit: GGUFLimits.arrayElements)
    guard count <= fileByteCount / (type.byteCount ?? 8) else {
      throw cursor.malformed("the length of \(key) is \(count), more than the whole file could hold", at: countStart)
    }
    let first = cursor.offset
    var starts: [Int] = []
    if let size = type.byteCount {
      _ = try cursor.skip(count * size, key)
      if type == .bool, let wrong = (first..<cursor.offset).first(where: { cursor.bytes.byte(at: $0) > 1 }) {
        throw cursor.malformed("a boolean of \(key) is neither 0 nor 1", at: wrong)
      }
    } else {
      // A string takes at least its eight bytes of length, so the count is bounded by what is left of the bytes at hand.
      starts.reserveCapacity(min(count, cursor.remaining / 8))
      for _ in 0..<count { starts.append(try cursor.string(key).lowerBound - first) }
    }
    return MetadataArray(elementType: type, count: count, bytes: copy(first..<cursor.offset), stringStarts: starts)
  }

  private func copy(_ range: Range<Int>) -> [UInt8] {
    unsafe cursor.bytes.extracting(range).withUnsafeBytes { unsafe Array($0) }
  }

  // MARK: Tensors

  private mutating func tensors(count: Int, alignment: Int) throws(GGUFError) -> ([GGUFTensor], dataByteCount: Int) {
    var tensors: [GGUFTensor] = []
    tensors.reserveCapacity(min(count, cursor.remaining / 25))
    var names: Set<String> = []
    var end = 0
    // Some writers set general.alignment and still pad to 32: every offset then must follow from the one padding or the other.
    var paddings: Set<Int> = [alignment, min(alignment, 32)]
    for index in 0..<count {
      let start = cursor.offset
      let (tensor, offsetStart) = try self.tensor(index)
      guard names.insert(tensor.name).inserted else { throw cursor.malformed("the tensor \(tensor.name) occurs twice", at: start) }
      let fitting = paddings.filter { Self.padded(end, to: $0) == tensor.offset }
      guard !fitting.isEmpty else { throw wrongOffset(of: tensor, after: end, alignment: alignment, at: offsetStart) }
      paddings = fitting
      let (tensorEnd, overflow) = tensor.offset.addingReportingOverflow(tensor.byteCount)
      guard !overflow, tensorEnd < Int.max - alignment else {
        throw cursor.malformed("the data of \(tensor.name) ends beyond 2^63 bytes", at: offsetStart)
      }
      end = tensorEnd
      tensors.append(tensor)
    }
    return (tensors, end)
  }

  private static func padded(_ size: Int, to alignment: Int) -> Int { (size + alignment - 1) & ~(alignment - 1) }

  private func wrongOffset(of tensor: GGUFTensor, after end: Int, alignment: Int, at position: Int) -> GGUFError {
    let problem =
      if tensor.offset < end {
        "overlaps the tensor before it, which ends at \(end)"
      } else if tensor.offset % min(alignment, 32) != 0 {
        "is not aligned to \(alignment)"
      } else {
        "leaves a gap behind the tensor before it, which ends at \(end)"
      }
    return cursor.malformed("the data of \(tensor.name) at offset \(tensor.offset) \(problem)", at: position)
  }

  private mutating func tensor(_ index: Int) throws(GGUFError) -> (GGUFTensor, offsetStart: Int) {
    let nameStart = cursor.offset
    let name = try cursor.name("the name of tensor \(index)")
    guard name.utf8.count <= GGUFLimits.nameByteCount else {
      throw cursor.malformed(
        "the name of tensor \(index) has \(name.utf8.count) bytes, more than \(GGUFLimits.nameByteCount)", at: nameStart)
    }
    let dimensionsStart = cursor.offset
    let dimensions = try dimensions(of: name)
    let typeStart = cursor.offset
    let number = try cursor.integer(UInt32.self, of: "the type of \(name)")
    guard let type = WeightType(rawValue: number) else {
      let removed = WeightType.removed.contains(number)
      throw cursor.malformed(
        "\(name) is of the \(removed ? "removed" : "unknown") weight type \(number); \(removed ? "quantise the model again" : "a newer version of this program may know it")",
        at: typeStart)
    }
    guard dimensions[0] % type.blockElements == 0 else {
      throw cursor.malformed(
        "a row of \(name) has \(dimensions[0]) elements, no multiple of the \(type.blockElements) of a \(type.name) block",
        at: dimensionsStart)
    }
    let offsetStart = cursor.offset
    let offset = try cursor.count("the offset of \(name)", limit: Int.max)
    guard let tensor = GGUFTensor(name: name, type: type, dimensions: dimensions, offset: offset) else {
      throw cursor.malformed("the sizes of \(name) multiply to more than 2^63 bytes", at: dimensionsStart)
    }
    return (tensor, offsetStart)
  }

  private mutating func dimensions(of name: String) throws(GGUFError) -> [Int] {
    let start = cursor.offset
    let count = try cursor.integer(UInt32.self, of: "the number of dimensions of \(name)")
    guard count <= GGUFLimits.dimensions else {
      throw cursor.malformed("\(name) has \(count) dimensions, more than \(GGUFLimits.dimensions)", at: start)
    }
    var dimensions: [Int] = []
    var elements = 1
    for index in 0..<Int(count) {
      let start = cursor.offset
      let size = try cursor.integer(Int64.self, of: "dimension \(index) of \(name)")
      guard size > 0 else { throw cursor.malformed("dimension \(index) of \(name) is \(size)", at: start) }
      let (product, overflow) = elements.multipliedReportingOverflow(by: Int(size))
      guard !overflow else { throw cursor.malformed("the sizes of \(name) multiply to more than 2^63 elements", at: start) }
      elements = product
      dimensions.append(Int(size))
    }
    return dimensions.isEmpty ? [1] : dimensions
  }
}

extension WeightType {
  /// Numbers that once were types of ggml.
  static let removed: Set<UInt32> = [4, 5, 31, 32, 33, 36, 37, 38]
}
