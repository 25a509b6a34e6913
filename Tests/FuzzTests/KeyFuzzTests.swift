// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import Inference
import TestSupport
import Testing
import Tokenization

@Suite("Hostile keys of a GGUF")
struct KeyFuzzTests {
  /// Returns the keys of the fixtures, of small vocabularies and, if there are oracles, of models with prediction layers.
  private static func seeds() throws -> [GGUFMetadata] {
    let tiny = SharedOracles.folder(holding: "README.md").map { folder in
      ["step35", "glm-dsa", "qwen35moe"].map { folder.appending(path: "tiny/\($0)-5.F16.gguf").path }
    }
    return try (Fuzzing.fixtures + (tiny ?? [])).map { try GGUFModel.open($0).metadata }
      + [SmallVocabulary.sentencePiece(), SmallVocabulary.byteLevel()]
  }

  @Test("A key with another type, size or value is refused in one line, or accepted for what it says")
  func keys() throws {
    let seeds = try Self.seeds()
    var random = SplitMix64(seed: 20_261_129)
    var (configurations, tokenizers) = (0, 0)
    for iteration in 0..<Fuzzing.iterations {
      let metadata = Self.changed(seeds[iteration % seeds.count], &random)
      try Self.checkRoundTrip(metadata)
      do {
        _ = try ModelConfiguration(metadata)
        configurations += 1
        _ = try ModelConfiguration(metadata, predicts: true)
      } catch {
        if error.description.contains(where: \.isNewline) { Issue.record("iteration \(iteration): more than one line: \(error)") }
      }
      do {
        let tokenizer = try Tokenizer(metadata: metadata)
        _ = tokenizer.encode("hello world 日本 <|im_end|>", addSpecial: true, parseSpecial: true)
        tokenizers += 1
      } catch {
        if error.description.contains(where: \.isNewline) { Issue.record("iteration \(iteration): more than one line: \(error)") }
      }
    }
    #expect(configurations > Fuzzing.iterations / 100 && configurations < Fuzzing.iterations)
    #expect(tokenizers > Fuzzing.iterations / 100 && tokenizers < Fuzzing.iterations)
  }

  /// Checks that written keys are read back as the same keys.
  private static func checkRoundTrip(_ metadata: GGUFMetadata) throws {
    var writer = GGUFWriter()
    writer.metadata = metadata
    // A writer refuses only what its reader would refuse: an impossible alignment.
    guard let header = try? writer.header() else { return }
    let read = try GGUFHeader.parse(header.span.bytes, file: "written").metadata
    #expect(read.entries.map(\.key) == metadata.entries.map(\.key))
    #expect(read.entries.map(\.value.type) == metadata.entries.map(\.value.type))
  }

  private static func changed(_ metadata: GGUFMetadata, _ random: inout SplitMix64) -> GGUFMetadata {
    var targets: Set<Int> = []
    for _ in 0...random.next(below: 3) { targets.insert(random.next(below: metadata.entries.count)) }
    var result = GGUFMetadata()
    for (index, entry) in metadata.entries.enumerated() {
      guard targets.contains(index) else {
        result[entry.key] = entry.value
        continue
      }
      // A key may be missing too.
      if random.next(below: 8) > 0 { result[entry.key] = value(like: entry.value, &random) }
    }
    return result
  }

  private static func value(like old: MetadataValue, _ random: inout SplitMix64) -> MetadataValue {
    let edge = random.pick(Fuzzing.edges)
    let number = old.integer.map { random.pick([$0 &+ 1, $0 &- 1, $0 &* 2, $0 / 2, edge]) } ?? edge
    let float = random.pick([0, -0.0, 1, -1, 1e-45, .infinity, -.infinity, .nan, 3e38, Double(number)])
    switch random.next(below: 15) {
    case 0: return .uint8(UInt8(truncatingIfNeeded: number))
    case 1: return .int8(Int8(truncatingIfNeeded: number))
    case 2: return .uint16(UInt16(truncatingIfNeeded: number))
    case 3: return .int16(Int16(truncatingIfNeeded: number))
    case 4: return .uint32(UInt32(truncatingIfNeeded: number))
    case 5: return .int32(Int32(truncatingIfNeeded: number))
    case 6: return .uint64(UInt64(truncatingIfNeeded: number))
    case 7: return .int64(Int64(number))
    case 8: return .float32(Float(float))
    case 9: return .float64(float)
    case 10: return .bool(number % 2 == 0)
    case 11:
      return .string(
        random.pick([[], Array("llama".utf8), [0xff, 0xfe], Array("gpt2".utf8), [UInt8](repeating: 0x61, count: 5000)]))
    default: return .array(array(like: old, &random))
    }
  }

  /// Returns an array with another element type, or with more, fewer or other elements.
  private static func array(like old: MetadataValue, _ random: inout SplitMix64) -> MetadataArray {
    guard case .array(let array) = old else {
      return random.pick([
        MetadataArray(int32s: []), MetadataArray(int32s: [1, -1, .max]), MetadataArray(floats: [.nan, 1]),
        MetadataArray(bools: [true]),
        MetadataArray(strings: ["a", ""]),
      ])
    }
    if let strings = array.byteStrings {
      var strings = strings.map { Array($0) }
      switch random.next(below: 6) {
      case 0: strings.removeAll()
      case 1: strings.removeLast(min(strings.count, 1 + random.next(below: 5)))
      case 2: strings.append(random.pick([[], [0xff], Array("hello".utf8)]))
      case 3 where !strings.isEmpty:
        strings[random.next(below: strings.count)] = random.pick([[], [0xe9], Array(" ".utf8), [0x20, 0x20]])
      case 4 where strings.count > 1: strings[random.next(below: strings.count)] = strings[random.next(below: strings.count)]
      default: return MetadataArray(int32s: strings.indices.map { Int32($0) })
      }
      return MetadataArray(byteStrings: strings)
    }
    if let integers = array.integers {
      var integers = integers.map { Int32(truncatingIfNeeded: $0) }
      switch random.next(below: 5) {
      case 0: integers.removeAll()
      case 1: integers.removeLast(min(integers.count, 1))
      case 2 where !integers.isEmpty:
        integers[random.next(below: integers.count)] = Int32(truncatingIfNeeded: random.pick(Fuzzing.edges))
      case 3: integers.append(7)
      default: return MetadataArray(floats: integers.map { Float($0) })
      }
      return MetadataArray(int32s: integers)
    }
    guard var floats = array.floats, !floats.isEmpty else { return MetadataArray(floats: [0]) }
    if random.next(below: 3) == 0 {
      floats.removeLast()
    } else {
      floats[random.next(below: floats.count)] = random.pick([.nan, .infinity, -1e30])
    }
    return MetadataArray(floats: floats)
  }
}
