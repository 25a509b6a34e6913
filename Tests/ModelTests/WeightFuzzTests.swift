// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Glibc
import PackFormat
import Testing

@testable import Generation
@testable import Inference
@testable import PackRuntime

@Suite("Weights that are not numbers")
struct WeightFuzzTests {
  /// Every architecture, and types with and without a 16-row form. The environment variable can ask for more cases than the total of 10
  /// 000.
  static let models = IdentityTests.models
  static let iterations =
    (ProcessInfo.processInfo.environment["GGUFPACK_FUZZ_ITERATIONS"].flatMap { Int($0) } ?? 10_000) / models.count + 1

  /// NaN, infinities and denormals as F32, F16 and BF16, and bytes that turn the scales of other types into such numbers.
  static let patterns: [[UInt8]] = [
    [0, 0, 0xc0, 0x7f], [0, 0, 0x80, 0x7f], [0, 0, 0x80, 0xff], [1, 0, 0, 0], [0xff, 0xff, 0x7f, 0x7f], [0, 0x7c, 0, 0x7c],
    [0, 0xfc, 0, 0xfc], [0, 0x7e, 0, 0x7e], [1, 0, 1, 0], [0xff, 0x7b, 0xff, 0xfb], [0x80, 0x7f, 0x80, 0x7f],
    [0xff, 0xff, 0xff, 0xff],
  ]

  /// The writable rows of one tensor.
  private struct Region {
    let start: UnsafeMutableRawPointer
    let byteCount: Int
  }

  private func regions(_ pack: Pack, _ weights: MappedPack) throws -> [Region] {
    try pack.manifest.tensors.flatMap { tensor -> [Region] in
      let weight = try #require(weights.table.weight(tensor.name))
      return try tensor.slices.indices.flatMap { slice in
        try (0..<tensor.expertCount).map { expert in
          let stride = weight.slices[slice].expertStride
          let start = UnsafeMutableRawPointer(mutating: weight.slices[slice].base + expert * stride)
          let byteCount = tensor.slices[slice].byteCount
          let page = UnsafeMutableRawPointer(bitPattern: UInt(bitPattern: start) & ~4095)
          let length = UInt(bitPattern: start) & 4095 + UInt(byteCount)
          try #require(mprotect(page, Int(length), PROT_READ | PROT_WRITE) == 0)
          return Region(start: start, byteCount: byteCount)
        }
      }
    }
  }

  @Test(
    "Damaged weights give logits or none, write nothing outside their buffers, and do not affect the next model",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: models)
  func fuzz(_ name: String) throws {
    // Its files are removed with it.
    let packed = try PackedModel(Oracles.tinyFile(name + ".gguf").path)
    defer { withExtendedLifetime(packed) {} }
    let pack = packed.pack
    let teams = try Teams(plan: TeamPlan(teams: [TeamPlan.Team(node: 0, cpus: [0])]))
    var memory = MemoryOptions()
    memory.kind = .anon
    let weights = try MappedPack(pack, teams: teams, options: memory)
    let regions = try regions(pack, weights)
    var random = SplitMix64(seed: UInt64(name.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) }))
    var options = ModelOptions()
    (options.contextLength, options.batchSize, options.sequenceCount) = (32, 16, 2)
    options.predicts = pack.manifest.tensors.contains { $0.name.hasSuffix(".nextn.eh_proj.weight") }
    func logits() throws -> [Float] {
      let model = try Model(metadata: pack.metadata, weights: weights, teams: teams, options: options)
      var all = try model.allLogits((0..<12).map { Int32($0 * 37 % 500) })
      try model.append([7], to: 1) { _, _ in }
      try model.step([(0, 3), (1, 4)]) { all += $1 }
      for offset in 0..<(model.predicts ? 2 : 0) { try model.predict(5, offset: offset) { all += $0 } }
      return all
    }
    let sound = try logits()
    let isSound = sound.allSatisfy { $0.isFinite }
    #expect(isSound)
    for round in 0..<Self.iterations {
      var undo: [(UnsafeMutableRawPointer, [UInt8])] = []
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let region = regions[Int.random(in: 0..<regions.count, using: &random)]
        let pattern = Self.patterns[Int.random(in: 0..<Self.patterns.count, using: &random)]
        // A few bytes, or all rows of a matrix.
        let count = Bool.random(using: &random) ? 4 * Int.random(in: 1...16, using: &random) : region.byteCount
        let begin = Int.random(in: 0...max(0, region.byteCount - count), using: &random) & ~3
        let range = begin..<min(region.byteCount, begin + count)
        let bytes = UnsafeMutableRawBufferPointer(start: region.start + range.lowerBound, count: range.count)
        undo.append((region.start + range.lowerBound, Array(bytes)))
        for index in 0..<range.count { bytes[index] = pattern[index % 4] }
      }
      do { _ = try logits() } catch ModelError.badValue(let key, _, _) {
        // Numbers that could also come from the metadata: factors of frequencies, and the experts of each token.
        #expect(
          ["rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"].contains(key)
            || key.hasSuffix(".ffn_gate_tid2eid.weight"))
      }
      for (start, bytes) in undo.reversed() {
        bytes.withUnsafeBytes { saved in
          if let source = saved.baseAddress { start.copyMemory(from: source, byteCount: saved.count) }
        }
      }
      if round % 97 == 0 || round + 1 == Self.iterations {
        let again = try logits()
        #expect(again.elementsEqual(sound) { $0.bitPattern == $1.bitPattern }, "after round \(round)")
      }
    }
  }
}
