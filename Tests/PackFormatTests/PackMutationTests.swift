// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import Repack
import TestSupport
import Testing

@testable import PackFormat

@Suite("Damaged descriptions of packs")
struct PackMutationTests {
  /// GGUFPACK_FUZZ_ITERATIONS, or the number that a debug build manages in a few seconds.
  private static let iterations = FuzzCases.count(2_000)

  /// The files that describe a pack.
  private struct Description {
    var manifest: [UInt8]
    var header: [UInt8]
    var checksums: [UInt8]

    func parsed() throws -> Pack {
      let list = try Checksums(text: String(decoding: checksums, as: UTF8.self), file: "checksums.xxh3")
      return try Pack.parse("damaged.pack", manifest: manifest, list) { header }
    }
  }

  private static func descriptions() throws -> [Description] {
    var shard = PackOptions()
    shard.nodeCount = 2
    shard.alignment = 4096
    var mirror = shard
    mirror.placement = .mirror
    mirror.copies = true
    var descriptions: [Description] = []
    for (options, compressed) in [(shard, false), (shard, true), (mirror, false)] {
      try SmallPack.with(options, compressed: compressed) { pack in
        descriptions.append(
          Description(
            manifest: try pack.bytes("pack.json"), header: try pack.bytes("header.gguf"),
            checksums: try pack.bytes("checksums.xxh3")))
      }
    }
    return descriptions
  }

  @Test("Damage never makes the reader trap: it refuses in one line, or what it accepts lies within its blobs")
  func mutations() throws {
    let good = try Self.descriptions()
    var mutator = PackMutator(seed: 20_261_125)
    var accepted = 0
    for iteration in 0..<Self.iterations {
      var bad = good[iteration % good.count]
      switch mutator.random(below: 8) {
      case 0: mutator.damage(&bad.header)
      case 1: mutator.damage(&bad.checksums)
      case 2: mutator.damage(&bad.manifest)
      default: for _ in 0...mutator.random(below: 3) { mutator.changeNumber(in: &bad.manifest) }
      }
      do {
        let pack = try bad.parsed()
        accepted += 1
        if let flaw = Self.flaw(in: pack) { Issue.record("iteration \(iteration): \(flaw)") }
      } catch {
        #expect(error is PackError)
        if "\(error)".contains(where: \.isNewline) { Issue.record("iteration \(iteration): more than one line: \(error)") }
      }
    }
    // A mutator whose results are always refused, or never, tests little.
    #expect(accepted > Self.iterations / 100 && accepted < Self.iterations / 2, "\(accepted) of \(Self.iterations) accepted")
  }

  /// Returns what is wrong with an accepted pack.
  private static func flaw(in pack: Pack) -> String? {
    for tensor in pack.manifest.tensors {
      var rows = 0
      for slice in tensor.slices {
        guard pack.manifest.blobs.indices.contains(slice.blob) else { return "\(tensor.name) lies in no blob" }
        guard let extent = slice.extent(expertCount: tensor.expertCount), extent.lowerBound >= 0,
          extent.upperBound <= pack.manifest.blobs[slice.blob].byteCount
        else { return "\(tensor.name) lies outside of its blob" }
        rows += slice.rowCount
      }
      if rows != tensor.rowCount { return "\(tensor.name) has \(rows) rows" }
    }
    for blob in pack.manifest.blobs {
      guard let storage = blob.storage, let map = BlobStorage.Map(storage) else { continue }
      if map.entries.contains(where: { $0.stored.upperBound > map.storedByteCount || $0.content.upperBound > map.byteCount }) {
        return "\(blob.file) has frames outside of it"
      }
    }
    return nil
  }

  @Test("Damage to a frame never makes unpacking trap or write beyond its content", arguments: [1, 2, 4, 8])
  func frames(planeCount: Int) throws {
    var mutator = PackMutator(seed: UInt64(planeCount))
    var codec = try FrameCodec()
    let size = 3001
    var stored = ByteBuffer(capacity: 0)
    let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 / 5 ^ $0 / 64) }
    let packed = content.withUnsafeBytes { codec.pack($0, planeCount: planeCount, level: 3, into: &stored) }
    let count = try #require(packed)
    let frame = stored.withBytes(count) { bytes in bytes.withUnsafeBytes { Array($0) } }
    // A margin after the content shows what is written beyond it.
    var target = [UInt8](repeating: 0xa5, count: size + 64)
    var good = 0
    for _ in 0..<Self.iterations / 4 {
      var bad = frame
      mutator.damage(&bad)
      let isGood = try target.withUnsafeMutableBytes { target in
        try codec.unpack(
          storedByteCount: bad.count, planeCount: planeCount, into: UnsafeMutableRawBufferPointer(rebasing: target[..<size])
        ) { (buffer) throws(PackError) in buffer.copyBytes(from: bad) }
      }
      if isGood { good += 1 }
      if !target[size...].allSatisfy({ $0 == 0xa5 }) { Issue.record("it wrote beyond the content") }
    }
    #expect(good < Self.iterations / 4)
  }
}

/// Damages the files that describe a pack, in reproducible ways.
private struct PackMutator {
  private var generator: SplitMix64

  init(seed: UInt64) { generator = SplitMix64(seed: seed) }

  mutating func random(below limit: Int) -> Int { generator.next(below: max(1, limit)) }

  /// Changes, removes or repeats a run of bytes.
  mutating func damage(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else { return bytes.append(UInt8(truncatingIfNeeded: generator.next())) }
    let at = random(below: bytes.count)
    let run = at..<min(bytes.count, at + 1 + random(below: 40))
    switch random(below: 5) {
    case 0: bytes[at] ^= 1 << UInt8(random(below: 8))
    case 1: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
    case 2: bytes.removeSubrange(run)
    case 3: bytes.insert(contentsOf: bytes[run], at: at)
    default: bytes.removeLast(bytes.count - at)
    }
  }

  /// Replaces a number by another, so that the document stays valid and its fields are examined.
  mutating func changeNumber(in json: inout [UInt8]) {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    var start = random(below: json.count)
    while start < json.count, !digits.contains(json[start]) { start += 1 }
    while start > 0, start < json.count, digits.contains(json[start - 1]) { start -= 1 }
    let end = json[start...].firstIndex { !digits.contains($0) } ?? json.count
    let old = Int(String(decoding: json[start..<end], as: UTF8.self)) ?? 0
    let edges = [
      0, 1, 16, 63, 64, 4096, 1 << 26, 1 << 30, 1 << 31, 1 << 62, .max - 63, .max, -1, .min, old &+ 1, old &- 1, old &+ 64,
      old &- 64,
      old &* 2, old, old,
    ]
    json.replaceSubrange(start..<end, with: Array("\(edges[random(below: edges.count)])".utf8))
  }
}
