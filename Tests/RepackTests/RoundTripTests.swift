// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import PackFormat
import TestSupport
import Testing

@testable import Repack

@Suite("From GGUF to pack and back")
struct RoundTripTests {
  /// One way to convert.
  struct Case: Sendable, CustomTestStringConvertible {
    let nodes: Int
    let placement: PackManifest.Placement
    let copies: Bool
    let alignment: Int
    var compressed = false

    var testDescription: String {
      "\(nodes) nodes, \(placement), copies: \(copies), aligned to \(alignment)\(compressed ? ", compressed" : "")"
    }

    var options: PackOptions {
      var options = PackOptions()
      options.nodeCount = nodes
      options.placement = placement
      options.copies = copies
      options.alignment = alignment
      return options
    }

    static let all =
      [1, 2, 3, 4].flatMap { nodes in
        [1 << 16, 2 << 20].map { Case(nodes: nodes, placement: .shard, copies: false, alignment: $0) }
      } + [
        Case(nodes: 2, placement: .mirror, copies: false, alignment: 2 << 20),
        Case(nodes: 2, placement: .mirror, copies: true, alignment: 4096),
      ]

    /// Every combination of the options, for several numbers of nodes.
    static let matrix = [1, 2, 4].flatMap { nodes in
      [(PackManifest.Placement.shard, false), (.mirror, false), (.mirror, true)].flatMap { placement, copies in
        [1 << 16, 2 << 20].flatMap { alignment in
          [false, true].map { Case(nodes: nodes, placement: placement, copies: copies, alignment: alignment, compressed: $0) }
        }
      }
    }
  }

  /// Converts, verifies, compares, restores and compares again.
  private func check(_ path: String, _ way: Case, in folder: String) throws {
    let model = try GGUFModel.open(path)
    let target = folder + "/model.pack"
    var converter = PackConverter(model, plan: try PackPlan(model, options: way.options))
    if way.compressed { converter.compressionLevel = 3 }
    try converter.run(to: target)
    defer { try? FileManager.default.removeItem(atPath: target) }
    let pack = try Pack.open(target)
    #expect(try PackVerifier(pack).run().isEmpty)
    try PackRestorer(pack).compare(with: model)
    let restored = folder + "/restored.gguf"
    try PackRestorer(pack).run(to: restored, replacing: true)
    if model.parts.count == 1 {
      #expect(try contents(restored) == contents(path))
    } else {
      for part in model.parts {
        let name = URL(filePath: part.path).lastPathComponent
        #expect(try contents(restored + "/" + name) == contents(part.path))
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).allSatisfy { !$0.hasSuffix(".partial") })
  }

  @Test("Every type in odd shapes is restored bit for bit", arguments: Case.all)
  func everyType(way: Case) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.gguf"
      try TestModels.write(WeightType.allCases, to: path, seed: 1)
      try check(path, way, in: folder)
    }
  }

  @Test(
    "Every oracle is restored bit for bit",
    .enabled(if: !TestModels.oracles.isEmpty, "there are no oracles: set GGUFPACK_SHARED to the folder that holds oracles/"),
    arguments: TestModels.oracles + TestModels.vocabularies)
  func oracles(path: String) throws {
    try withTemporaryFolder { folder in
      try check(path, Case(nodes: 2, placement: .shard, copies: false, alignment: 1 << 16), in: folder)
      try check(path, Case(nodes: 3, placement: .mirror, copies: false, alignment: 2 << 20), in: folder)
    }
  }

  @Test(
    "Every fixture is restored bit for bit", .enabled(if: !TestModels.fixtures.isEmpty, "there are no fixtures"),
    arguments: TestModels.fixtures, Case.matrix)
  func fixtures(path: String, way: Case) throws {
    try withTemporaryFolder { folder in try check(path, way, in: folder) }
  }

  @Test("Padding that is not zero and bytes after the last tensor are restored", arguments: [0, 1, 63, 5000, 3 << 20])
  func gaps(trailing: Int) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.gguf"
      var writer = GGUFWriter()
      writer.metadata["general.alignment"] = .uint32(256)
      writer.tensors = [
        .init(name: "a", type: .q8_0, dimensions: [32, 17]), .init(name: "b", type: .f32, dimensions: [5]),
        .init(name: "c", type: .q4_K, dimensions: [256, 16]),
      ]
      var random = SplitMix64(seed: 7)
      try writer.write(to: path) { random.bytes([34 * 17, 20, 144 * 16][$0]) }
      var bytes = try contents(path)
      let model = try GGUFModel.open(path)
      let data = model.parts[0].header.dataOffset
      // After the header, and after each tensor.
      for place in [data - 1, data + 34 * 17, data + 1023] { bytes[place] = 0xee }
      bytes += Data(random.bytes(trailing))
      try bytes.write(to: URL(filePath: path))
      try check(path, Case(nodes: 2, placement: .shard, copies: false, alignment: 4096), in: folder)
    }
  }

  @Test("A model with much padding is restored, whether the padding is zero or not")
  func wideAlignment() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.gguf"
      let alignment = 2 << 20
      var writer = GGUFWriter()
      writer.metadata["general.alignment"] = .uint32(UInt32(alignment))
      writer.tensors = (0..<24).map { .init(name: "t\($0)", type: .f32, dimensions: [8]) }
      try writer.write(to: path) { _ in [UInt8](repeating: 1, count: 32) }
      let way = Case(nodes: 1, placement: .shard, copies: false, alignment: 1 << 16)
      let model = try GGUFModel.open(path)
      try PackConverter(model, plan: try PackPlan(model, options: way.options)).run(to: folder + "/model.pack")
      #expect(!FileManager.default.fileExists(atPath: folder + "/model.pack/gaps.bin"))
      // With one nonzero byte in the last gap, all gaps are kept.
      let file = try #require(FileHandle(forWritingAtPath: path))
      try file.seek(toOffset: UInt64(model.parts[0].byteCount - 1))
      try file.write(contentsOf: Data([7]))
      try file.close()
      let second = try GGUFModel.open(path)
      try PackConverter(second, plan: try PackPlan(second, options: way.options)).run(to: folder + "/second.pack")
      let pack = try Pack.open(folder + "/second.pack")
      #expect(pack.manifest.gapByteCount > 23 * (alignment - 32))
      #expect(try PackVerifier(pack).run().isEmpty)
      try PackRestorer(pack).compare(with: second)
      // And from pack to pack.
      try PackConverter(storing: pack).run(to: folder + "/third.pack")
      #expect(try contents(folder + "/third.pack/checksums.xxh3") == contents(folder + "/second.pack/checksums.xxh3"))
    }
  }

  @Test("Stored as zstd frames, the content is the same, and smaller if it can be", arguments: [1, 9])
  func compressed(level: Int) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.gguf"
      var writer = GGUFWriter()
      writer.tensors = [
        .init(name: "noise", type: .q4_K, dimensions: [2048, 1024]), .init(name: "floats", type: .f32, dimensions: [512, 1200]),
        .init(name: "halves", type: .bf16, dimensions: [512, 1200]), .init(name: "doubles", type: .f64, dimensions: [64, 33]),
        .init(name: "zeros", type: .q8_0, dimensions: [320, 100]),
      ]
      var random = SplitMix64(seed: 5)
      try writer.write(to: path) { index in
        switch index {
        case 0: random.bytes(144 * 8 * 1024)
        // Exponents that repeat and mantissas that do not, the case for which planes exist.
        case 1: (0..<512 * 1200).flatMap { _ in [UInt8(random.next(below: 256)), UInt8(random.next(below: 256)), 0x20, 0x3d] }
        case 2: (0..<512 * 1200).flatMap { _ in [UInt8(random.next(below: 256)), 0x3d] }
        case 3: random.bytes(8 * 64 * 33)
        default: [UInt8](repeating: 0, count: 34 * 10 * 100)
        }
      }
      let model = try GGUFModel.open(path)
      var options = PackOptions()
      options.nodeCount = 2
      let plain = folder + "/plain.pack"
      let packed = folder + "/packed.pack"
      let plan = try PackPlan(model, options: options)
      try PackConverter(model, plan: plan).run(to: plain)
      var converter = PackConverter(model, plan: plan)
      converter.compressionLevel = level
      try converter.run(to: packed)

      let (first, second) = (try Pack.open(plain), try Pack.open(packed))
      #expect(try PackVerifier(second).run().isEmpty)
      #expect(first.manifest.blobs.map(\.chunks) == second.manifest.blobs.map(\.chunks))
      #expect(first.manifest.tensors == second.manifest.tensors)
      #expect(zip(second.manifest.blobs, first.manifest.blobs).allSatisfy { $0.storedByteCount < $1.storedByteCount * 9 / 10 })
      let encodings = Set(second.manifest.blobs.flatMap { $0.storage?.segments.map(\.encoding) ?? [] })
      // Noise does not shrink, so it must have been stored as it is.
      #expect(encodings.isSuperset(of: [.raw, .zstd, .zstd2, .zstd4]))
      try PackRestorer(second).compare(with: model)

      // Decompressing gives the same files as if they had never been compressed.
      let back = folder + "/back.pack"
      try PackConverter(storing: second).run(to: back)
      for blob in first.manifest.blobs { #expect(try contents(back + "/" + blob.file) == contents(plain + "/" + blob.file)) }
      // A damaged frame is found, whether it can still be unpacked or not.
      var bytes = try contents(packed + "/node0.blob")
      bytes[bytes.count / 3] ^= 0x10
      try bytes.write(to: URL(filePath: packed + "/node0.blob"))
      #expect(try !PackVerifier(Pack.open(packed)).run().isEmpty)
    }
  }

  @Test("A pack made from a pack equals the one made from the model", arguments: Case.all)
  func repacked(way: Case) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.gguf"
      try TestModels.write([.q4_K, .q5_0, .q8_0, .bf16, .f32, .iq2_xs], to: path, seed: 9)
      let model = try GGUFModel.open(path)
      var options = PackOptions()
      options.nodeCount = 3
      try PackConverter(model, plan: try PackPlan(model, options: options)).run(to: folder + "/first.pack")
      let first = try Pack.open(folder + "/first.pack")
      let plan = try PackPlan(tensors: first.manifest.tensors, options: way.options)
      try PackConverter(first, plan: plan).run(to: folder + "/second.pack")
      try PackConverter(model, plan: try PackPlan(model, options: way.options)).run(to: folder + "/direct.pack")
      #expect(try contents(folder + "/second.pack/pack.json") == contents(folder + "/direct.pack/pack.json"))
      #expect(try contents(folder + "/second.pack/checksums.xxh3") == contents(folder + "/direct.pack/checksums.xxh3"))
      #expect(try PackVerifier(Pack.open(folder + "/second.pack")).run().isEmpty)
    }
  }

  @Test("A model without tensors is restored")
  func noTensors() throws {
    try withTemporaryFolder { folder in
      var writer = GGUFWriter()
      writer.metadata["tokenizer.ggml.model"] = .text("llama")
      try writer.write(to: folder + "/model.gguf") { _ in [] }
      try check(folder + "/model.gguf", Case(nodes: 2, placement: .shard, copies: false, alignment: 4096), in: folder)
    }
  }

  @Test("A split model is restored as the same files with the same names")
  func split() throws {
    try withTemporaryFolder { folder in
      var random = SplitMix64(seed: 3)
      for part in 0..<3 {
        var writer = GGUFWriter()
        writer.metadata["split.no"] = .uint16(UInt16(part))
        writer.metadata["split.count"] = .uint16(3)
        writer.metadata["split.tensors.count"] = .int32(6)
        writer.tensors = [
          .init(name: "a\(part)", type: .q6_K, dimensions: [512, 40]), .init(name: "b\(part)", type: .bf16, dimensions: [31, 19]),
        ]
        try writer.write(to: folder + "/m-0000\(part + 1)-of-00003.gguf") { random.bytes([420 * 40, 62 * 19][$0]) }
      }
      try check(folder + "/m-00002-of-00003.gguf", Case(nodes: 2, placement: .shard, copies: false, alignment: 1 << 16), in: folder)
    }
  }
}
