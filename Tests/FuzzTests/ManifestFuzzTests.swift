// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import JSON
import Repack
import TestSupport
import Testing

@testable import PackFormat

@Suite("Hostile manifests with digests that match")
struct ManifestFuzzTests {
  /// Makes packs of a small model with all kinds of tensors: stacked, plain, interleaved, of one row, without elements.
  private static func makePacks(in folder: String) throws -> [String] {
    var writer = GGUFWriter()
    writer.metadata["general.architecture"] = .text("llama")
    writer.tensors = [
      .init(name: "q8", type: .q8_0, dimensions: [256, 50]), .init(name: "experts", type: .q4_K, dimensions: [512, 33, 3]),
      .init(name: "norm", type: .f32, dimensions: [256]), .init(name: "plain", type: .iq2_xs, dimensions: [512, 48]),
      .init(name: "mark", type: .f32, dimensions: [0]), .init(name: "half", type: .f16, dimensions: [100, 40]),
    ]
    let tensors = writer.tensors
    var random = SplitMix64(seed: 5)
    try writer.write(to: folder + "/model.gguf") { index in
      let rows = tensors[index].dimensions.dropFirst().reduce(1, *)
      return (0..<(tensors[index].type.byteCount(elements: tensors[index].dimensions[0]) ?? 0) * rows).map { _ in
        UInt8(truncatingIfNeeded: random.next() % 7)
      }
    }
    let model = try GGUFModel.open(folder + "/model.gguf")
    var paths: [String] = []
    for (nodes, placement, copies, level) in [
      (1, PackManifest.Placement.shard, false, nil), (3, .shard, false, 1), (2, .mirror, true, nil),
    ] {
      var options = PackOptions()
      (options.nodeCount, options.placement, options.copies, options.alignment) = (nodes, placement, copies, 4096)
      var converter = PackConverter(model, plan: try PackPlan(model, options: options))
      converter.compressionLevel = level
      paths.append(folder + "/\(paths.count).pack")
      try converter.run(to: paths[paths.count - 1])
    }
    return paths
  }

  @Test("A manifest with any content is refused in one line, or the pack restores the model that it claims to be")
  func manifests() throws {
    try Fuzzing.withTemporaryFolder { folder in
      let packs = try Self.makePacks(in: folder)
      let good = try packs.map { try Pack.open($0) }
      let documents = try packs.map { try JSONValue(parsing: [UInt8](Data(contentsOf: URL(filePath: $0 + "/pack.json")))) }
      var random = SplitMix64(seed: 20_261_128)
      var accepted = 0
      for iteration in 0..<Fuzzing.iterations {
        let number = iteration % packs.count
        var document = documents[number]
        for _ in 0...random.next(below: 3) { document = Self.changed(document, &random) }
        let bytes = Array(document.compact.utf8)
        var digests = good[number].checksums.digests
        digests["pack.json"] = Digest(of: bytes)
        try Data(bytes).write(to: URL(filePath: packs[number] + "/pack.json"))
        try Data(Checksums(digests).text.utf8).write(to: URL(filePath: packs[number] + "/checksums.xxh3"))
        do {
          let pack = try Pack.open(packs[number])
          accepted += 1
          try Self.use(pack, in: folder)
        } catch let error as PackError {
          if !Fuzzing.isOneLine(error.description) { Issue.record("iteration \(iteration): more than one line: \(error)") }
        }
      }
      // A mutator whose results are always refused, or never, tests little.
      #expect(
        accepted > Fuzzing.iterations / 200 && accepted < Fuzzing.iterations / 2, "\(accepted) of \(Fuzzing.iterations) accepted")
    }
  }

  /// Does what programs do with an opened pack.
  private static func use(_ pack: Pack, in folder: String) throws {
    var rows = [[Bool]](repeating: [], count: pack.manifest.tensors.count)
    for (index, tensor) in pack.manifest.tensors.enumerated() where tensor.hasElements {
      rows[index] = [Bool](repeating: false, count: tensor.rowCount)
      for slice in tensor.slices {
        #expect(slice.rowBegin % Layout.groupRows == 0 && slice.offset % 64 == 0)
        let extent = try #require(slice.extent(expertCount: tensor.expertCount))
        #expect(extent.upperBound <= pack.manifest.blobs[slice.blob].byteCount)
        for row in slice.rowBegin..<slice.rowBegin + slice.rowCount {
          #expect(!rows[index][row])
          rows[index][row] = true
        }
      }
      #expect(rows[index].allSatisfy { $0 })
    }
    var verifier = PackVerifier(pack)
    verifier.threads = 2
    guard try verifier.run().isEmpty else { return }
    var restorer = PackRestorer(pack)
    restorer.threads = 2
    try restorer.run(to: folder + "/restored.gguf", replacing: true)
    let plan = try PackPlan(tensors: pack.manifest.tensors, options: PackOptions())
    var converter = PackConverter(pack, plan: plan)
    converter.threads = 2
    try converter.run(to: folder + "/repacked.pack", replacing: true)
  }

  /// Returns the document with one value replaced, removed or repeated.
  private static func changed(_ value: JSONValue, _ random: inout SplitMix64) -> JSONValue {
    switch value {
    case .object(let object) where object.count > 0 && random.next(below: 20) > 0:
      var members = object.members.map { ($0.name, $0.value) }
      let index = random.next(below: members.count)
      switch random.next(below: 30) {
      case 0: members.remove(at: index)
      case 1: members.append((members[index].0 + "x", members[index].1))
      default: members[index].1 = changed(members[index].1, &random)
      }
      return .object(JSONObject(members))
    case .array(let elements) where elements.count > 0 && random.next(below: 20) > 0:
      var elements = elements
      let index = random.next(below: elements.count)
      switch random.next(below: 15) {
      case 0: elements.remove(at: index)
      case 1: elements.append(elements[index])
      case 2: elements.swapAt(index, random.next(below: elements.count))
      default: elements[index] = changed(elements[index], &random)
      }
      return .array(elements)
    case .integer(let number) where random.next(below: 4) > 0:
      let number = Int(exactly: number) ?? 0
      return .integer(
        Int128(random.pick([number &+ 1, number &- 1, number &+ 16, number &+ 64, number &- 64, number &* 2, number / 2])))
    default:
      return random.pick([
        .integer(Int128(random.pick(Fuzzing.edges))), .integer(Int128.max), .number(0.5), .null, .bool(true), .bool(false),
        .string(""),
        .string("x\n\u{1b}[31m"), .string("Q4_K"), .string("gguf"), .string("r16k4"), .string("zstd"), .string("zero"),
        .string(String(repeating: "0", count: 32)), .array([]), .object(JSONObject()), value, value,
      ])
    }
  }
}
