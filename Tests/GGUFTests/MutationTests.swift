// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUFWriting
import TestSupport
import Testing

@testable import GGUF

@Suite("Damaged headers")
struct MutationTests {
  /// GGUFPACK_FUZZ_ITERATIONS, or the number that a debug build manages in a few seconds.
  private static let iterations = FuzzCases.count(20_000)

  @Test("Damage never makes the reader trap: it refuses in one line, or what it accepts is sound")
  func mutations() throws {
    let seeds = try Self.seeds()
    var mutator = HeaderMutator(seed: 20_261_124, seeds: seeds)
    var accepted = 0
    for iteration in 0..<Self.iterations {
      let bytes = mutator.next()
      // Most damage would be caught by the end of the file if the file did not seem to continue after the header.
      let size = iteration % 2 == 0 ? bytes.count : bytes.count + mutator.random(below: 1 << 40)
      do {
        let header = try GGUFHeader.parse(bytes.span.bytes, file: "damaged", fileByteCount: size)
        accepted += 1
        if let flaw = Self.flaw(in: header, bytes) { Issue.record("iteration \(iteration): \(flaw)") }
      } catch {
        if let flaw = Self.flaw(in: error, bytes) { Issue.record("iteration \(iteration): \(flaw): \(error)") }
      }
    }
    // A mutator whose results are always refused, or never, tests little.
    #expect(accepted > Self.iterations / 100 && accepted < Self.iterations / 2, "\(accepted) of \(Self.iterations) accepted")
  }

  /// Returns the headers of small files: all value types, tensors of all weight types, a vocabulary, a part of a split model.
  private static func seeds() throws -> [[UInt8]] {
    var seeds = [try everyValueType().header()]
    for name in ["every-type", "vocabulary-only", "llama-split-00002-of-00002"] {
      let path = "\(fixturesFolder)/\(name).gguf"
      let length = try GGUFModel.open(path).parts.first { $0.path == path }?.header.byteCount ?? 0
      seeds.append(try [UInt8](Data(contentsOf: URL(filePath: path)).prefix(length)))
    }
    return seeds
  }

  private static func everyValueType() -> GGUFWriter {
    var writer = GGUFWriter()
    let values: [MetadataValue] = [
      .uint8(1), .int8(-1), .uint16(2), .int16(-2), .uint32(3), .int32(-3), .float32(0.5), .bool(true), .text("text"), .uint64(4),
      .int64(-4), .float64(0.25), .array(MetadataArray(strings: ["a", "bc", ""])), .array(MetadataArray(floats: [1, 2])),
      .array(MetadataArray(int32s: [3, 4])), .array(MetadataArray(bools: [true, false])),
    ]
    for (index, value) in values.enumerated() { writer.metadata["key.\(index)"] = value }
    writer.metadata["general.alignment"] = .uint32(64)
    writer.tensors = [.init(name: "a", type: .q4_K, dimensions: [256, 2]), .init(name: "b", type: .f32, dimensions: [3, 2, 2])]
    return writer
  }

  /// Returns what is wrong with an accepted header.
  private static func flaw(in header: GGUFHeader, _ bytes: [UInt8]) -> String? {
    if header.byteCount > bytes.count { return "the header is longer than the bytes" }
    if header.dataOffset < header.byteCount || header.dataOffset % header.alignment != 0 {
      return "the data begins at a wrong place"
    }
    var end = 0
    for tensor in header.tensors {
      if tensor.offset < end || tensor.byteCount < 0 { return "\(tensor.name) lies wrong" }
      if tensor.dimensions.contains(where: { $0 < 0 }) || !(1...4).contains(tensor.dimensions.count) {
        return "\(tensor.name): sizes"
      }
      if tensor.rowCount < 0 || tensor.expertCount < 0 { return "\(tensor.name): rows" }
      end = tensor.offset + tensor.byteCount
    }
    if end != header.dataByteCount { return "the data's size is wrong" }
    for entry in header.metadata.entries {
      guard case .array(let array) = entry.value else { continue }
      // The arrays are decoded on demand, which must not trap either.
      let strings = array.byteStrings.map { Array($0) }
      let count = strings?.count ?? array.integers?.count ?? array.floats?.count ?? array.bools?.count ?? array.count
      if count != array.count { return "\(entry.key) has \(count) of \(array.count) elements" }
    }
    return nil
  }

  /// Returns what is wrong with a refusal.
  private static func flaw(in error: GGUFError, _ bytes: [UInt8]) -> String? {
    if error.description.contains(where: \.isNewline) { return "more than one line" }
    switch error {
    case .malformed(_, let offset, _), .truncated(_, let offset, _, _, _):
      return (0...bytes.count).contains(offset) ? nil : "the offset is outside of the file"
    default: return "not an error of the content"
    }
  }
}
