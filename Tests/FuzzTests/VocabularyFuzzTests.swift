// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import TestSupport
import Testing

@testable import Tokenization

@Suite("Hostile vocabularies")
struct VocabularyFuzzTests {
  @Test("Damaged vocabularies work or are refused in one line, and nothing traps", arguments: [false, true])
  func damaged(byteLevel: Bool) {
    var random = SplitMix64(seed: byteLevel ? 3 : 4)
    let whole = byteLevel ? SmallVocabulary.byteLevel() : SmallVocabulary.sentencePiece()
    var refused = 0
    let cases = FuzzCases.count()
    for _ in 0..<cases {
      let metadata = Self.mutated(whole, &random)
      do {
        let tokenizer = try Tokenizer(metadata: metadata)
        let text = SmallVocabulary.randomText(&random)
        let tokens = tokenizer.encode(text, addSpecial: true, parseSpecial: true)
        if !tokens.allSatisfy({ (0..<Int32(tokenizer.count)).contains($0) }) { Issue.record("there is no such token: \(tokens)") }
        _ = tokenizer.decode(tokens)
      } catch {
        refused += 1
        if !Fuzzing.isOneLine(error.description) || error.description.count <= 20 { Issue.record("\(error)") }
      }
    }
    #expect((1..<cases).contains(refused))
  }

  /// Returns a copy in which one to three keys are missing, of another type, shorter, or full of other values.
  private static func mutated(_ whole: GGUFMetadata, _ random: inout SplitMix64) -> GGUFMetadata {
    var metadata = GGUFMetadata()
    let victims = Set(
      (0..<Int.random(in: 1...3, using: &random)).compactMap { _ in whole.entries.randomElement(using: &random)?.key })
    for entry in whole.entries {
      guard victims.contains(entry.key) else {
        metadata[entry.key] = entry.value
        continue
      }
      switch (Int.random(in: 0..<6, using: &random), entry.value) {
      case (0, _): break
      case (1, _): metadata[entry.key] = .int64(Int64.random(in: -3...400, using: &random))
      case (_, .array(let array)): metadata[entry.key] = .array(damaged(array, &random))
      default: metadata[entry.key] = entry.value
      }
    }
    return metadata
  }

  private static func damaged(_ array: MetadataArray, _ random: inout SplitMix64) -> MetadataArray {
    if let strings = array.byteStrings.map({ Array($0) }) {
      return MetadataArray(
        byteStrings: strings.map { string in
          switch Int.random(in: 0..<8, using: &random) {
          case 0: []
          case 1: strings.randomElement(using: &random).map { Array($0) } ?? []
          case 2: string.map { $0 ^ UInt8.random(in: 0...255, using: &random) }
          default: Array(string)
          }
        })
    }
    if let floats = array.floats {
      let values: [Float] = [.nan, .infinity, -.infinity, -0.0, 0, 1e38, -1]
      return MetadataArray(floats: floats.map { Bool.random(using: &random) ? values.randomElement(using: &random) ?? 0 : $0 })
    }
    let count = array.count - (Bool.random(using: &random) ? 1 : 0)
    return MetadataArray(int32s: (0..<count).map { _ in Int32.random(in: -2...9, using: &random) })
  }

  private func special(_ texts: [(String, TokenKind)]) throws -> SpecialTokens {
    var strings = TokenStrings()
    for (text, _) in texts { strings.append(text.utf8) }
    return try SpecialTokens(strings, texts.map(\.1))
  }

  private func parts(_ special: SpecialTokens, _ text: String, parsingControl: Bool = true) -> [SpecialTokens.Part] {
    var parts: [SpecialTokens.Part] = []
    let bytes = Array(text.utf8)
    special.split(bytes.span, parsingControl: parsingControl) { parts.append($0) }
    return parts
  }

  /// Returns the parts by trying every token at every position.
  private func expected(_ tokens: [(String, TokenKind)], _ text: String, parsingControl: Bool) -> [SpecialTokens.Part] {
    let (bytes, texts) = (Array(text.utf8), tokens.map { Array($0.0.utf8) })
    var (parts, begin, index): ([SpecialTokens.Part], Int, Int) = ([], 0, 0)
    while index < bytes.count {
      let found = texts.indices.filter { id in
        !texts[id].isEmpty && texts.firstIndex(of: texts[id]) == id && bytes[index...].starts(with: texts[id])
          && (parsingControl ? tokens[id].1 != .normal : tokens[id].1 == .userDefined)
      }.max { texts[$0].count < texts[$1].count }
      guard let found else {
        index += 1
        continue
      }
      if begin < index { parts.append(.text(begin..<index)) }
      parts.append(.token(Int32(found)))
      index += texts[found].count
      begin = index
    }
    return begin < bytes.count ? parts + [.text(begin..<bytes.count)] : parts
  }

  @Test("Random tokens are found exactly where trying each of them finds them") func random() throws {
    var random = SplitMix64(seed: 31)
    func word(_ most: Int) -> String {
      String((0..<Int.random(in: 0...most, using: &random)).map { _ in "abé".randomElement(using: &random) ?? "a" })
    }
    for _ in 0..<FuzzCases.count() {
      let kinds: [TokenKind] = [.control, .userDefined, .normal]
      let tokens = (0..<Int.random(in: 0...8, using: &random)).map { _ in (word(5), kinds.randomElement(using: &random) ?? .control)
      }
      let special = try special(tokens)
      let text = word(30)
      for control in [true, false] {
        // Texts whose lowest id is not special are left out, as are duplicates of them.
        guard tokens.allSatisfy({ token in tokens.first { $0.0 == token.0 }?.1 == token.1 }) else { continue }
        if parts(special, text, parsingControl: control) != expected(tokens, text, parsingControl: control) {
          Issue.record("\(tokens) in \(text)")
        }
      }
    }
  }
}
