// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@testable import Generation

struct SamplerTests {
  @Test("The generator gives the published numbers of SplitMix64")
  func generator() {
    var random = SplitMix64(seed: 1_234_567)
    #expect(
      (0..<5).map { _ in random.next() } == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
      ])
    #expect((0..<1000).allSatisfy { _ in (0..<1).contains(random.uniform()) })
  }

  @Test("Greedy sampling takes the greatest logit, the lowest id among equals, and ignores NaN")
  func greedy() {
    var sampler = Sampler(.greedy, vocabularySize: 5)
    #expect(sampler.sample([1, 3, 2, 3, .nan].span) == 1)
    #expect(sampler.sample([.nan, -.infinity, -5, -5, -6].span) == 2)
    #expect(sampler.sample([.nan, .nan, -.infinity, .nan, .nan].span) == nil)
  }

  @Test(
    "Each filter leaves the tokens that it promises",
    arguments: [
      (SamplingOptions(temperature: 1, topK: 2, topP: 1, minP: 0), [1, 3] as [Int32]),
      (SamplingOptions(temperature: 1, topK: 0, topP: 0.6, minP: 0), [1, 3]),
      (SamplingOptions(temperature: 1, topK: 0, topP: 1, minP: 0.2), [1, 3, 0]),
      (SamplingOptions(temperature: 1, topK: 0, topP: 1, minP: 0), [0, 1, 2, 3]),
      (SamplingOptions(temperature: 1, topK: 1, topP: 1, minP: 0), [1]),
      (SamplingOptions(temperature: 1, topK: 9, topP: 0.01, minP: 1), [1]),
    ])
  func filters(options: SamplingOptions, expected: [Int32]) {
    // Probabilities 0.15, 0.45, 0.05, 0.35.
    let logits: [Float] = [0.15, 0.45, 0.05, 0.35].map { Float(log($0)) }
    var sampler = Sampler(options, vocabularySize: 4)
    let drawn = (0..<2000).compactMap { _ in sampler.sample(logits.span) }
    #expect(Set(drawn) == Set(expected))
    // Among the tokens left, the frequencies match the probabilities.
    let total = expected.reduce(0) { $0 + [0.15, 0.45, 0.05, 0.35][Int($1)] }
    for token in expected {
      let share = Double(drawn.count { $0 == token }) / 2000
      #expect(abs(share - [0.15, 0.45, 0.05, 0.35][Int(token)] / total) < 0.04)
    }
  }

  @Test("Presence and frequency penalties count the answer's tokens, not the prompt's; biases are added to logits or forbid tokens")
  func countsAndBiases() {
    var options = SamplingOptions(temperature: 0)
    options.presencePenalty = 1
    options.frequencyPenalty = 0.5
    let logits: [Float] = [3, 2, 1]
    var sampler = Sampler(options, vocabularySize: 3)
    sampler.accept(prompt: [0, 0, 0, 0])
    #expect(sampler.sample(logits.span) == 0)
    // 3; then 1.5 against 2; then 1.5 against 0.5; then 1 against token 2's 1, of which the lower id is taken.
    for expected in [0, 1, 0, 0] as [Int32] {
      #expect(sampler.sample(logits.span) == expected)
      sampler.accept(expected)
    }
    #expect(sampler.sample(logits.span) == 2)
    options = SamplingOptions(temperature: 0)
    options.logitBias = [0: -.infinity, 2: 1.5, 77: 9]
    var biased = Sampler(options, vocabularySize: 3)
    #expect(biased.sample(logits.span) == 2)
  }

  @Test("The temperature sharpens or flattens the choice")
  func temperature() {
    let logits: [Float] = [1, 0]
    func share(_ temperature: Float) -> Double {
      var sampler = Sampler(SamplingOptions(temperature: temperature, topK: 0, topP: 1, minP: 0, seed: 3), vocabularySize: 2)
      return Double((0..<4000).count { _ in sampler.sample(logits.span) == 0 }) / 4000
    }
    // 1 / (1 + exp(-1/T))
    #expect(abs(share(1) - 0.7311) < 0.03 && abs(share(0.25) - 0.9820) < 0.02 && abs(share(4) - 0.5622) < 0.03)
  }

  @Test("The same seed gives the same tokens, and another seed other tokens")
  func seeds() {
    var random = SplitMix64(seed: 1)
    let logits = (0..<500).map { _ in Float(random.uniform() * 4) }
    func tokens(_ seed: UInt64) -> [Int32?] {
      var sampler = Sampler(SamplingOptions(seed: seed), vocabularySize: 500)
      return (0..<50).map { _ in sampler.sample(logits.span) }
    }
    #expect(tokens(5) == tokens(5))
    #expect(tokens(5) != tokens(6))
  }

  @Test("Recent tokens are penalised once, and forgotten outside the window")
  func repetition() {
    var options = SamplingOptions.greedy
    options.repetitionPenalty = 2
    options.repetitionWindow = 2
    var sampler = Sampler(options, vocabularySize: 3)
    let logits: [Float] = [4, 3, -1]
    #expect(sampler.sample(logits.span) == 0)
    sampler.accept(0)
    sampler.accept(0)
    #expect(sampler.sample(logits.span) == 1)
    // 4 / 2 is above 1.5; penalised twice it would be below.
    #expect(sampler.sample([4, 1.5, -1].span) == 0)
    sampler.accept(1)
    sampler.accept(1)
    #expect(sampler.sample(logits.span) == 0)
    // A negative logit moves away from zero.
    sampler.accept(2)
    #expect(sampler.sample([-1.5, -9, -1].span) == 0)
  }

  @Test("The greatest logit is found at any position, the first among equals", arguments: [1, 3, 4, 255, 256, 257, 600])
  func likeliest(count: Int) {
    for place in 0..<count {
      var logits = [Float](repeating: -3, count: count)
      logits[place] = 5
      logits[count - 1] = place % 2 == 0 ? 5 : .nan
      if place > 0 { logits[place - 1] = .nan }
      if place == count - 1, place % 2 == 1 { continue }
      #expect(Sampler.likeliest(logits.span) == Int32(place))
    }
  }

  @Test("Top-p without top-k considers all tokens")
  func nucleus() {
    // 3000 equal tokens: half the probability is reached by half of them, the lowest ids.
    let logits = [Float](repeating: 1, count: 3000)
    var sampler = Sampler(SamplingOptions(temperature: 1, topK: 0, topP: 0.5, minP: 0), vocabularySize: 3000)
    let drawn = (0..<400).compactMap { _ in sampler.sample(logits.span) }
    #expect(drawn.count == 400 && (drawn.max() ?? 0) < 1501 && (drawn.max() ?? 0) > 1400)
  }

  @Test("The best tokens of a large vocabulary are those that sorting gives")
  func heap() {
    var random = SplitMix64(seed: 2)
    let logits = (0..<5000).map { _ in Float(Int(random.uniform() * 300)) }
    let sorted = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }.map { Int32($0) }
    var heap = CandidateHeap(capacity: 5000)
    for count in [1, 2, 40, 4999, 5000, 6000] {
      heap.keepBest(count, of: logits.span)
      #expect(heap.entries.map(\.token) == Array(sorted.prefix(count)))
    }
  }

  @Test(
    "Options outside their range are reported by name",
    arguments: [
      (SamplingOptions(temperature: -1), "temperature is -1.0"), (SamplingOptions(temperature: .nan), "temperature is nan"),
      (SamplingOptions(topK: -1), "top-k is -1"), (SamplingOptions(topP: 0), "top-p is 0.0"),
      (SamplingOptions(minP: 1.5), "min-p is 1.5"), (SamplingOptions(repetitionPenalty: 0), "repetition penalty is 0.0"),
      (SamplingOptions(repetitionWindow: -4), "repetition window is -4"),
    ])
  func complaints(options: SamplingOptions, beginning: String) throws {
    #expect(try #require(options.complaint).hasPrefix(beginning))
    #expect(SamplingOptions().complaint == nil && SamplingOptions.greedy.complaint == nil)
  }
}
