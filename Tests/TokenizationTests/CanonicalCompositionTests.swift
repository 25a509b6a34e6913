// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import TestSupport
import Testing

@testable import Tokenization

struct CanonicalCompositionTests {
  private func composed(_ text: String) -> String {
    let bytes = Array(text.utf8)
    return CanonicalComposition.composed(bytes.span).map { String(decoding: $0, as: UTF8.self) } ?? text
  }

  @Test("Random texts become what Python's unicodedata makes of them") func golden() {
    for (text, expected) in GoldenCompositions.texts {
      #expect(composed(text).unicodeScalars.elementsEqual(expected.unicodeScalars), "\(text.debugDescription)")
    }
  }

  @Test("Every character, alone and beside others, becomes what Python's unicodedata makes of it")
  func everyCharacter() {
    for (block, expected) in GoldenCompositions.digests.enumerated() {
      var state: UInt64 = 0xcbf2_9ce4_8422_2325
      for value in UInt32(block * 4096)..<UInt32((block + 1) * 4096) {
        guard let scalar = Unicode.Scalar(value) else { continue }
        for text in [String(scalar), "e\(scalar)", "\u{1100}\(scalar)\u{301}"] {
          for byte in composed(text).utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
      }
      #expect(state == expected, "characters from U+\(String(block * 4096, radix: 16)) on")
    }
  }

  @Test("A random text stays canonically equal, and its normal form is stable")
  func random() {
    var random = SplitMix64(seed: 21)
    let marks: [UInt32] = [
      0x300, 0x301, 0x323, 0x307, 0x327, 0x345, 0x5b0, 0x93c, 0x3099, 0x1161, 0x11a8, 0x1100, 0xac00, 0x65, 0x73,
    ]
    for _ in 0..<FuzzCases.count() {
      var text = SmallVocabulary.randomText(&random)
      for _ in 0..<Int.random(in: 0...6, using: &random) {
        text.unicodeScalars.append(marks.randomElement(using: &random).flatMap { Unicode.Scalar($0) } ?? "x")
      }
      let result = composed(text)
      // Swift compares texts by canonical equivalence.
      #expect(result == text && composed(result).unicodeScalars.elementsEqual(result.unicodeScalars), "\(text.debugDescription)")
    }
  }

  @Test("Bytes that are not UTF-8 stay unchanged, and separate characters") func brokenBytes() {
    let bytes: [UInt8] = [0x65, 0xff, 0xcc, 0x81, 0x65, 0xcc, 0x81, 0xcc]
    #expect(CanonicalComposition.composed(bytes.span) == [0x65, 0xff, 0xcc, 0x81, 0xc3, 0xa9, 0xcc])
    #expect(CanonicalComposition.composed([0x65, 0xff].span) == nil)
  }

  @Test("A long run of combining marks takes little time", .timeLimit(.minutes(5))) func manyMarks() {
    let text = "e" + String(repeating: "\u{323}\u{301}", count: 100_000)
    #expect(composed(text).unicodeScalars.count > 100_000)
  }

  @Test(
    "Models trained with composed text get it, and others get the text unchanged",
    arguments: ["qwen2", "qwen35", "stablelm2", "mpt", "llama-bpe", "glm4"]) func models(pre: String) throws
  {
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.byteLevel(pre: pre))
    let composes = !["llama-bpe", "glm4"].contains(pre)
    let (apart, together) = (
      tokenizer.encode("e\u{301}", addSpecial: false, parseSpecial: false),
      tokenizer.encode("é", addSpecial: false, parseSpecial: false)
    )
    #expect((apart == together) == composes)
  }
}
