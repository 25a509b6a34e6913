// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import GGUF
import PackFormat

/// Groups of sixteen rows of a weight, made from rows as in a GGUF.
struct Packed {
  let type: WeightType
  let rows: Int
  let k: Int
  /// The rows in layout `gguf`.
  let plain: [UInt8]
  /// The same rows in the 16-row layout.
  let groups: [UInt8]

  var rowByteCount: Int { type.byteCount(elements: k) ?? 0 }

  /// The types that have a 16-row layout.
  static let types = WeightType.allCases.filter { InterleavedForm($0) != nil }
  static let quantisedTypes = types.filter { $0 != .f16 && $0 != .bf16 }

  /// The content of a test's blocks.
  enum Content: CaseIterable, CustomStringConvertible {
    /// Any quants, with moderate scales.
    case moderate
    /// Any bytes: scales can be NaN, infinite, subnormal or huge.
    case anything
    /// Quants with all bits clear, all bits set, or only the high bit of each byte set: the extremes of every type.
    case clear, set, high
    /// Every byte 0.
    case zero

    var description: String {
      switch self {
      case .moderate: "moderate scales"
      case .anything: "any bytes"
      case .clear: "quants all clear"
      case .set: "quants all set"
      case .high: "quants of high bits"
      case .zero: "zeros"
      }
    }
  }

  init?(_ type: WeightType, rows: Int, k: Int, _ content: Content = .moderate) {
    guard let form = InterleavedForm(type), let rowBytes = type.byteCount(elements: k), rows % 16 == 0 else { return nil }
    self.type = type
    self.rows = rows
    self.k = k
    var random = Random(Int(type.rawValue) * 1000 + rows + k)
    var plain = random.bytes(rows * rowBytes)
    let quantBytes: UInt8? =
      switch content {
      case .moderate, .anything: nil
      case .clear, .zero: 0
      case .set: 0xff
      case .high: 0x80
      }
    let blocks = k / type.blockElements
    for row in stride(from: 0, to: plain.count, by: rowBytes) where content != .anything {
      Self.setHeader(&plain, row, form, zero: content == .zero, &random)
      for start in stride(from: row + type.rowHeaderByteCount, to: row + rowBytes, by: type.blockByteCount) {
        if let quantBytes {
          for field in form.body + form.head.filter({ $0.unitBits == 8 }) {
            for i in 0..<field.byteCount { plain[start + field.offset + i] = quantBytes }
          }
        }
        Self.setScales(&plain, start, form, zero: content == .zero, &random)
      }
    }
    // Up to here, these are rows of the base type.
    var grouped = plain
    if type.groupRows > 1 { ck_group_rows(type.rawValue, plain, Int64(rows), Int64(k), &grouped) }
    self.plain = grouped
    groups = (0..<rows / 16).flatMap { Self.group(Array(plain[$0 * 16 * rowBytes..<($0 + 1) * 16 * rowBytes]), form, blocks) }
  }

  /// Sets the number in a row's header to a moderate size.
  private static func setHeader(_ bytes: inout [UInt8], _ row: Int, _ form: InterleavedForm, zero: Bool, _ random: inout Random) {
    let value = zero ? 0 : random.float() / 64
    switch form.type.rowHeaderByteCount {
    case 2: withUnsafeBytes(of: Float16(value)) { bytes.replaceSubrange(row..<row + 2, with: $0) }
    case 4: withUnsafeBytes(of: value) { bytes.replaceSubrange(row..<row + 4, with: $0) }
    default: break
    }
  }

  /// Sets the half-precision fields of a block to values of moderate size.
  private static func setScales(_ bytes: inout [UInt8], _ start: Int, _ form: InterleavedForm, zero: Bool, _ random: inout Random) {
    func store(_ bits: UInt16, _ offset: Int) {
      bytes[start + offset] = UInt8(truncatingIfNeeded: bits)
      bytes[start + offset + 1] = UInt8(truncatingIfNeeded: bits >> 8)
    }
    func value() -> Float { zero ? 0 : random.float() / 16 }
    switch form.type.base {
    case .mxfp4: bytes[start] = zero ? 0 : 118 + UInt8(random.next() % 8)
    case .f16: store(Float16(value()).bitPattern, 0)
    case .bf16: store(UInt16(value().bitPattern >> 16), 0)
    case .iq4_xs, .iq1_s: store(Float16(value()).bitPattern, 0)  // their other two-byte fields hold integers
    case .iq1_m:  // the upper four bits of each of four two-byte units
      let bits = Float16(value()).bitPattern
      for unit in 0..<4 {
        let upper = start + 48 + 2 * unit + 1
        bytes[upper] = bytes[upper] & 0x0f | UInt8(truncatingIfNeeded: bits >> (4 * unit) & 15) << 4
      }
    case _ where form.rowHeader != nil: break  // the scale is in the header
    case _ where ["IQ2_K", "IQ3_K", "IQ4_K", "IQ5_K", "IQ6_K"].contains(form.type.base.name): store(Float16(value()).bitPattern, 0)
    default:
      for field in form.head where field.unitBits == 16 { store(Float16(value()).bitPattern, field.offset) }
    }
  }

  /// Returns sixteen rows of `blocks` blocks in the layout that `form` describes.
  private static func group(_ rows: [UInt8], _ form: InterleavedForm, _ blocks: Int) -> [UInt8] {
    let (blockBytes, header) = (form.type.blockByteCount, form.type.rowHeaderByteCount)
    let stride = header + blocks * blockBytes
    var out = (0..<16).flatMap { rows[$0 * stride..<$0 * stride + header] }
    out += [UInt8](repeating: 0, count: (64 - out.count % 64) % 64)
    func append(_ fields: [InterleavedField], _ tile: Range<Int>) {
      for block in tile {
        for field in fields {
          let units = field.byteCount * 8 / field.unitBits
          out += [UInt8](unsafeUninitializedCapacity: 16 * field.byteCount) { buffer, count in
            rows.withUnsafeBufferPointer {
              guard let from = $0.baseAddress else { return }
              ck_interleave(
                from + header + block * blockBytes + field.offset, Int64(stride), Int64(units), Int32(field.unitBits),
                field.flippedBits,
                buffer.baseAddress)
            }
            count = 16 * field.byteCount
          }
        }
      }
      out += [UInt8](repeating: 0, count: (64 - out.count % 64) % 64)
    }
    for first in Swift.stride(from: 0, to: blocks, by: form.tileBlocks) {
      let tile = first..<min(first + form.tileBlocks, blocks)
      append(form.head, tile)
      append(form.body, tile)
    }
    return out
  }

  /// Returns row `row` as floats, converted by the table's functions for layout `gguf`.
  func dequantized(_ row: Int, _ table: UnsafePointer<ck_table>) -> [Float] {
    var out = [Float](repeating: 0, count: k)
    plain.withUnsafeBytes {
      guard let base = $0.baseAddress else { return }
      table.pointee.dequantize(type.rawValue, base, Int64(row), Int64(k), &out)
    }
    return out
  }
}

/// Columns of activations, and their quantised form.
struct Activations {
  let columns: Int
  let k: Int
  var x: [Float]
  var quants: [Int8]
  var scales: [Float]
  var sums: [Int16]

  /// Makes pseudo-random numbers, quantised by `table`.
  init(columns: Int, k: Int, _ table: UnsafePointer<ck_table>) {
    var random = Random(columns * 7919 + k)
    self.init((0..<columns * k).map { _ in random.float() * 3 }, columns: columns, k: k, table)
  }

  /// Makes blocks of 32 that are all 127, all -127, or alternating.
  init(extreme columns: Int, k: Int, _ table: UnsafePointer<ck_table>) {
    let x = (0..<columns * k).map { i in
      switch i / 32 % 4 {
      case 0: Float(127)
      case 1: Float(-127)
      case 2: i % 2 == 0 ? Float(127) : Float(-127)
      default: i % 3 == 0 ? Float(127) : Float(-1)
      }
    }
    self.init(x, columns: columns, k: k, table)
  }

  init(_ x: [Float], columns: Int, k: Int, _ table: UnsafePointer<ck_table>) {
    self.columns = columns
    self.k = k
    self.x = x
    quants = [Int8](repeating: 0, count: columns * k)
    scales = [Float](repeating: 0, count: columns * k / 32)
    sums = [Int16](repeating: 0, count: columns * k / 16)
    for c in 0..<columns where k % 32 == 0 {
      x.withUnsafeBufferPointer { x in
        quants.withUnsafeMutableBufferPointer { quants in
          scales.withUnsafeMutableBufferPointer { scales in
            sums.withUnsafeMutableBufferPointer { sums in
              guard let x = x.baseAddress, let q = quants.baseAddress, let d = scales.baseAddress, let s = sums.baseAddress else {
                return
              }
              table.pointee.quantize(x + c * k, Int64(k), q + c * k, d + c * k / 32, s + c * k / 16)
            }
          }
        }
      }
    }
  }

  /// Returns rows × columns products; row r of column c is at `c * rows + r`. Rows outside `range` keep the value 12345.
  func times(
    _ weights: Packed, _ table: UnsafePointer<ck_table>, rows range: Range<Int>? = nil, map: [Int32]? = nil
  ) -> [Float]? {
    guard let function = table.pointee.function16(weights.type) else { return nil }
    let range = range ?? 0..<weights.rows
    let outputColumns = map?.count ?? columns
    var output = [Float](repeating: 12345, count: outputColumns * weights.rows)
    var (x, quants, scales, sums, map) = (x, quants, scales, sums, map ?? [])
    // Callers guarantee that quants are aligned to 64 bytes.
    withAligned(&quants) { quants in
      weights.groups.withUnsafeBufferPointer { groups in
        x.withUnsafeMutableBufferPointer { x in
          scales.withUnsafeMutableBufferPointer { scales in
            sums.withUnsafeMutableBufferPointer { sums in
              output.withUnsafeMutableBufferPointer { output in
                map.withUnsafeMutableBufferPointer { map in
                  var m = ck_matmul()
                  m.type = weights.type.rawValue
                  m.weights = groups.baseAddress
                  m.k = Int64(k)
                  m.row_begin = Int64(range.lowerBound)
                  m.row_end = Int64(range.upperBound)
                  m.columns = Int64(outputColumns)
                  m.column_map = map.isEmpty ? nil : UnsafePointer(map.baseAddress)
                  m.q8 = ck_q8(quants: quants, scales: scales.baseAddress, sums: sums.baseAddress)
                  m.x = UnsafePointer(x.baseAddress)
                  m.x_stride = Int64(k)
                  m.output = output.baseAddress
                  m.output_stride = Int64(weights.rows)
                  function(&m)
                }
              }
            }
          }
        }
      }
    }
    return output
  }

  private func withAligned(_ quants: inout [Int8], _ body: (UnsafeMutablePointer<Int8>) -> Void) {
    let aligned = UnsafeMutableRawPointer.allocate(byteCount: quants.count + 64, alignment: 64)
    defer { aligned.deallocate() }
    aligned.copyMemory(from: quants, byteCount: quants.count)
    body(aligned.assumingMemoryBound(to: Int8.self))
  }
}

extension ck_table {
  /// Returns the 16-row product of a type; nil if the table has none.
  func function16(_ type: WeightType) -> ck_matmul_function? {
    withUnsafeBytes(of: matmul16) { $0.bindMemory(to: ck_matmul_function?.self)[Int(type.rawValue)] }
  }
}

/// The tables that this CPU can run, by name.
enum Tables {
  static let names: [String] = {
    var names: [String] = []
    var next = ck_available()
    while let at = next, let name = at.pointee {
      names.append(String(cString: name))
      next = at + 1
    }
    return names
  }()

  static func named(_ name: String) throws -> UnsafePointer<ck_table> {
    guard let table = ck_select(name) else { throw Missing(name: name) }
    return table
  }

  struct Missing: Error {
    var name: String
  }
}

/// Returns the bits of floats in which all NaNs are equal, because the CPU decides which NaN an operation returns.
func comparable(_ floats: [Float]) -> [UInt32] { floats.map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern } }
