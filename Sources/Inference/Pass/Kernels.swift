// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels

/// The kernels of one instruction set, called with rows and Swift integers; see `ck_table` for what each computes.
///
/// Where `ck_table` allows it, a row that is read may also be the row that is written.
struct Kernels {
  /// Static data of CKernels.
  private let table: UnsafePointer<ck_table>

  /// Selects the kernels of that name, or the best that this processor runs; nil if it cannot run them, or there are none of that
  /// name.
  init?(named name: String?) {
    guard let table = ck_select(name) else { return nil }
    self.table = table
  }

  var name: String { String(cString: table.pointee.name) }

  /// The names of the instruction sets that this processor runs, best first.
  static var available: [String] {
    var names: [String] = []
    guard let list = ck_available() else { return [] }
    while let name = list[names.count] { names.append(String(cString: name)) }
    return names
  }

  // MARK: Products

  /// Returns the kernel for rows in the 16-row layout; nil if the type has none.
  func interleavedProduct(_ type: UInt32) -> ck_matmul_function? {
    Self.entry(table.pointee.matmul16, Int(type), of: ck_matmul_function?.self) ?? nil
  }

  /// Returns the kernel for rows in the layout of GGUF, which reads activations in floats; nil if the type has none.
  func plainProduct(_ type: UInt32) -> ck_matmul_function? {
    Self.entry(table.pointee.matmul_plain, Int(type), of: ck_matmul_function?.self) ?? nil
  }

  /// Whether the kernel for interleaved rows reads quantised activations.
  func interleavedReadsQuants(_ type: UInt32) -> Bool {
    Self.entry(table.pointee.reads_q8, Int(type), of: UInt8.self) ?? 0 != 0
  }

  /// Returns element `index` of a C array, which Swift imports as a tuple; nil if it has no such element.
  private static func entry<Table, Element>(_ table: Table, _ index: Int, of type: Element.Type) -> Element? {
    withUnsafeBytes(of: table) { bytes in
      let offset = index * MemoryLayout<Element>.stride
      return offset + MemoryLayout<Element>.size <= bytes.count ? bytes.load(fromByteOffset: offset, as: type) : nil
    }
  }

  /// Dequantises row `row` of the rows at `rows`.
  func dequantize(_ type: UInt32, rows: UnsafeRawPointer, row: Int, into out: Row) {
    table.pointee.dequantize(type, rows, Int64(row), Int64(out.count), out.start)
  }

  /// Dequantises row `row` of the 16 interleaved rows at `group`.
  func dequantizeInterleaved(_ type: UInt32, group: UnsafeRawPointer, row: Int, into out: Row) {
    table.pointee.dequantize16(type, group, Int64(row), Int64(out.count), out.start)
  }

  /// Quantises `x` to 8 bits, with a scale for every 32 elements and a sum for every 16.
  @inline(__always)
  func quantize(
    _ x: Row, quants: UnsafeMutablePointer<Int8>, scales: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Int16>
  ) {
    table.pointee.quantize(x.start, Int64(x.count), quants, scales, sums)
  }

  // MARK: Element by element

  /// Adds two rows element by element; `out` may be one of them.
  @inline(__always)
  func add(_ a: Row, _ b: Row, into out: Row) {
    assert(a.count == out.count && b.count == out.count)
    table.pointee.add(a.start, b.start, Int64(out.count), out.start)
  }

  /// Adds `factor` times `b` to `sum`.
  @inline(__always)
  func add(_ b: Row, times factor: Float, to sum: Row) {
    assert(b.count == sum.count)
    table.pointee.add_scaled(sum.start, b.start, factor, Int64(sum.count), sum.start)
  }

  @inline(__always)
  func scale(_ x: Row, by factor: Float) { table.pointee.scale(x.start, factor, Int64(x.count), x.start) }

  /// Root-mean-square normalisation; without `weights`, all weights are 1.
  @inline(__always)
  func normalize(_ x: Row, weights: Row?, epsilon: Float, into out: Row) {
    assert(x.count == out.count && weights?.count ?? x.count == x.count)
    table.pointee.rms_norm(x.start, weights?.start, epsilon, Int64(out.count), out.start)
  }

  @inline(__always)
  func multiply(_ a: Row, _ b: Row, into out: Row) {
    assert(a.count == out.count && b.count == out.count)
    table.pointee.multiply(a.start, b.start, Int64(out.count), out.start)
  }

  /// Subtracts the mean; `out` may be `x`.
  @inline(__always)
  func center(_ x: Row, into out: Row) {
    assert(x.count == out.count)
    table.pointee.center(x.start, Int64(out.count), out.start)
  }

  /// Multiplies `x` by the logistic function of `gate`; `out` may be either.
  @inline(__always)
  func multiply(_ x: Row, byLogisticOf gate: Row, into out: Row) {
    assert(x.count == out.count && gate.count == out.count)
    table.pointee.logistic_multiply(x.start, gate.start, Int64(out.count), out.start)
  }

  @inline(__always)
  func softmax(_ x: Row) { table.pointee.softmax(x.start, Int64(x.count)) }

  /// Computes activation(gate, up) into `gate`. For an activation without a gate, its input must be in `gate`.
  @inline(__always)
  func activate(_ activation: Activation, gate: Row, up: Row) {
    assert(gate.count == up.count)
    let count = Int64(gate.count)
    switch activation {
    case .swiGLU: table.pointee.silu_multiply(gate.start, up.start, count, gate.start)
    case .geGLU: table.pointee.gelu_multiply(gate.start, up.start, count, gate.start)
    case .clampedSwiGLU: table.pointee.swiglu_clamped(gate.start, up.start, 1.702, 7, count, gate.start)
    case .limitedSwiGLU(let limit): table.pointee.swiglu_limited(gate.start, up.start, limit, count, gate.start)
    case .cappedSwiGLU(let limit):
      for index in 0..<gate.count {
        // The comparison is false for NaN, which therefore stays NaN.
        if gate[index] > limit { gate[index] = limit }
        if up[index].magnitude > limit { up[index] = up[index] > 0 ? limit : -limit }
      }
      table.pointee.silu_multiply(gate.start, up.start, count, gate.start)
    case .situ(let beta, let linear): table.pointee.situ_multiply(gate.start, up.start, beta, linear, count, gate.start)
    case .squaredReLU:
      for index in 0..<gate.count {
        // The comparison is false for NaN, which therefore stays NaN.
        let x = gate[index] <= 0 ? 0 : gate[index]
        gate[index] = x * x
      }
    }
  }

  // MARK: Recurrences

  /// Applies a causal convolution to one token, to each channel separately; see `ck_table`. `out` may be `x`.
  @inline(__always)
  func convolve(
    _ x: Row, with inputs: UnsafeMutablePointer<Float>, weights: UnsafePointer<Float>, bias: Row? = nil, taps: Int, stride: Int,
    into out: Row
  ) {
    assert(x.count == out.count && bias?.count ?? x.count == x.count)
    table.pointee.convolve(
      inputs, x.start, weights, bias.map { UnsafePointer($0.start) }, Int64(taps), Int64(stride), Int64(out.count), out.start)
  }

  @inline(__always)
  func recur(_ call: inout ck_recurrence) { table.pointee.recur(&call) }

  // MARK: Attention

  /// Computes an indexer's scores of whole groups of 16 positions; see `ck_table`.
  @inline(__always)
  func index(_ queries: Row, weights: Row, length: Int, keys: UnsafePointer<Float>, into scores: Row) {
    assert(queries.count == weights.count * length && scores.count % 16 == 0)
    table.pointee.index(
      queries.start, weights.start, Int64(weights.count), Int64(length), keys, Int64(scores.count), scores.start)
  }

  /// Computes the products of a query with the keys of whole groups of 16 positions; see `ck_table.index`.
  @inline(__always)
  func products(_ query: Row, keys: UnsafePointer<Float>, into scores: Row) {
    assert(scores.count % 16 == 0)
    table.pointee.index(query.start, nil, 1, Int64(query.count), keys, Int64(scores.count), scores.start)
  }

  /// Copies keys and values at some positions to positions 0, 1, …; see `ck_table`.
  @inline(__always)
  func gather(
    _ positions: UnsafePointer<Int32>, count: Int, keys: UnsafePointer<UInt16>, keyLength: Int, values: UnsafePointer<UInt16>,
    valueLength: Int, into scratch: (keys: UnsafeMutablePointer<UInt16>, values: UnsafeMutablePointer<UInt16>)
  ) {
    table.pointee.gather(
      positions, Int64(count), keys, Int64(keyLength), values, Int64(valueLength), scratch.keys, scratch.values)
  }

  /// Copies latents in the same way.
  @inline(__always)
  func gather(
    _ positions: UnsafePointer<Int32>, count: Int, latents: UnsafePointer<Float>, length: Int,
    into scratch: UnsafeMutablePointer<Float>
  ) {
    table.pointee.gather_latents(positions, Int64(count), latents, Int64(length), scratch)
  }

  /// Rotates the leading elements of a head, two for each of `cosines`.
  @inline(__always)
  func rotate(_ head: Row, _ pairing: RotaryPairing, cosines: Row, sines: Row) {
    assert(cosines.count == sines.count && 2 * cosines.count <= head.count)
    let dimensions = Int64(2 * cosines.count)
    switch pairing {
    case .halves: table.pointee.rope_halves(head.start, cosines.start, sines.start, dimensions)
    case .adjacent: table.pointee.rope_adjacent(head.start, cosines.start, sines.start, dimensions)
    }
  }

  @inline(__always)
  func attention(_ call: inout ck_attention) { table.pointee.attention(&call) }

  /// Joins the outputs of one query's sections, which are stored one after another.
  @inline(__always)
  func joinSections(
    _ outputs: UnsafePointer<Float>, _ sums: UnsafePointer<ck_attention_sum>, count: Int, sink: UnsafePointer<Float>?,
    into output: Row
  ) {
    table.pointee.attention_join(outputs, sums, Int64(count), Int64(output.count), sink, output.start)
  }

  /// Stores the key of a position among the keys of a head.
  @inline(__always)
  func store(key: Row, position: Int, _ form: KeyValueCache.Form, at keys: UnsafeMutableRawPointer) {
    let (count, position) = (Int64(key.count), Int64(position))
    switch form {
    case .halves: table.pointee.store_key(key.start, count, position, keys.assumingMemoryBound(to: UInt16.self))
    case .quants: table.pointee.store_key_q8(key.start, count, position, keys.assumingMemoryBound(to: UInt8.self))
    case .latents: table.pointee.store_latent(key.start, count, position, keys.assumingMemoryBound(to: Float.self))
    }
  }

  /// Stores a value. Latents have none.
  @inline(__always)
  func store(value: Row, _ form: KeyValueCache.Form, at target: UnsafeMutableRawPointer) {
    let count = Int64(value.count)
    switch form {
    case .halves: table.pointee.to_f16(value.start, count, target.assumingMemoryBound(to: UInt16.self))
    case .quants: table.pointee.store_value_q8(value.start, count, target.assumingMemoryBound(to: UInt8.self))
    case .latents: preconditionFailure("a latent is stored once")
    }
  }
}
