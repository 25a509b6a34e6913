// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// Chooses the next token from the logits.
///
/// It applies, in this order: penalties, biases, the constraint, top-k, top-p, min-p, temperature, a random choice. With
/// temperature 0 it takes the likeliest token; of equal ones the lowest id. The same options, logits and earlier tokens give the
/// same token on every machine with the same `exp`. Its memory is allocated at the beginning, except what a constraint needs.
public struct Sampler: Sendable {
  /// The options.
  public let options: SamplingOptions
  private let vocabularySize: Int
  private var random: SplitMix64
  /// Whether recent tokens are penalised.
  private let penalises: Bool
  /// Whether the answer's tokens are counted.
  private let counts: Bool
  /// The adjusted logits from which one is chosen.
  private var adjusted: [Float]
  private var candidates: CandidateHeap
  /// The last tokens, as a ring buffer; once it is full, `oldest` is the index of the next one.
  private var recent: [Int32] = []
  private var oldest = 0
  /// How often each token occurs in the answer.
  private var occurrences: [Int32: Int] = [:]

  /// Allocates memory for logits of `vocabularySize` tokens.
  public init(_ options: SamplingOptions, vocabularySize: Int) {
    self.options = options
    self.vocabularySize = vocabularySize
    random = SplitMix64(seed: options.seed)
    penalises = options.repetitionPenalty != 1 && options.repetitionWindow > 0
    counts = options.presencePenalty != 0 || options.frequencyPenalty != 0
    let adjusts = penalises || counts || !options.logitBias.isEmpty
    adjusted = [Float](repeating: 0, count: adjusts ? vocabularySize : 0)
    recent.reserveCapacity(penalises ? options.repetitionWindow : 0)
    let kept = options.topK > 0 ? min(options.topK, vocabularySize) : vocabularySize
    candidates = CandidateHeap(capacity: options.temperature > 0 ? kept : 0)
  }

  /// Notes a token of the answer, for the penalties.
  public mutating func accept(_ token: Int32) {
    if counts { occurrences[token, default: 0] += 1 }
    remember(token)
  }

  /// Notes the tokens of a prompt, for the repetition penalty.
  package mutating func accept(prompt: [Int32]) {
    guard penalises else { return }
    for token in prompt { remember(token) }
  }

  private mutating func remember(_ token: Int32) {
    guard penalises, token >= 0, Int(token) < vocabularySize else { return }
    if recent.count < options.repetitionWindow {
      recent.append(token)
    } else {
      recent[oldest] = token
      oldest = (oldest + 1) % recent.count
    }
  }

  /// Notes the tokens of a prompt, and chooses the token after it.
  mutating func sample(_ logits: Span<Float>, after prompt: [Int32], within constraint: AnswerConstraint? = nil) -> Int32? {
    accept(prompt: prompt)
    return sample(logits, within: constraint)
  }

  /// Chooses the next token, but does not note it; for that, call `accept`.
  ///
  /// - Parameters:
  ///   - logits: One for each token of the vocabulary; NaN is ignored.
  ///   - constraint: Limits which tokens may come next.
  /// - Returns: nil if no logit is above minus infinity: the model computed no usable numbers, or the constraint allows no token.
  /// - Complexity: O(vocabulary), without allocation; top-p without top-k sorts the tokens that it keeps.
  public mutating func sample(_ logits: Span<Float>, within constraint: AnswerConstraint? = nil) -> Int32? {
    let adjusts = penalises || counts || !options.logitBias.isEmpty
    guard adjusts || constraint != nil, logits.count == vocabularySize else { return choose(logits) }
    if adjusted.isEmpty { adjusted = [Float](repeating: 0, count: vocabularySize) }
    // Swapped out during the call, so that the span does not overlap the access to self.
    var values: [Float] = []
    swap(&values, &adjusted)
    for index in logits.indices { values[index] = logits[index] }
    if penalises { penalise(logits, &values) }
    for (token, bias) in options.logitBias where values.indices.contains(Int(token)) { values[Int(token)] += bias }
    for (token, count) in occurrences where values.indices.contains(Int(token)) {
      values[Int(token)] -= options.presencePenalty + Float(count) * options.frequencyPenalty
    }
    constraint?.apply(to: &values)
    let token = choose(values.span)
    swap(&values, &adjusted)
    return token
  }

  private func penalise(_ logits: Span<Float>, _ penalised: inout [Float]) {
    for token in recent {
      let index = Int(token)
      // Reads the original logit, so that a token that occurs twice is not penalised twice.
      let logit = logits[index]
      penalised[index] = logit > 0 ? logit / options.repetitionPenalty : logit * options.repetitionPenalty
    }
  }

  private mutating func choose(_ logits: Span<Float>) -> Int32? {
    guard let likeliest = Self.likeliest(logits) else { return nil }
    let best = logits[Int(likeliest)]
    // A logit of plus infinity leaves no choice.
    guard options.temperature > 0, best < .infinity else { return likeliest }
    let least = options.minP > 0 ? best + logf(options.minP) : -.infinity
    if options.topK > 0 {
      candidates.keepBest(options.topK, of: logits)
      if options.topP < 1 {
        var total = 0.0
        for candidate in candidates.entries { total += exp(Double(candidate.logit - best)) }
        _ = cut(reaching: Double(options.topP) * total, best)
      }
    } else if options.topP < 1 {
      keepNucleus(logits, best)
    } else {
      candidates.keepAll(of: logits, from: least)
    }
    candidates.removeWorse(than: least)
    return draw(best)
  }

  /// Applies top-p to all tokens. It usually leaves few, so growing numbers of the best are tried instead of sorting all.
  private mutating func keepNucleus(_ logits: Span<Float>, _ best: Float) {
    var total = 0.0
    for index in logits.indices where logits[index] > -.infinity { total += exp(Double(logits[index] - best)) }
    var count = 256
    while true {
      candidates.keepBest(count, of: logits)
      if cut(reaching: Double(options.topP) * total, best) || count >= logits.count { return }
      count = min(count * 8, logits.count)
    }
  }

  /// Drops the candidates after those that together reach this much (unnormalised) probability; returns false if all together do
  /// not reach it.
  private mutating func cut(reaching goal: Double, _ best: Float) -> Bool {
    var reached = 0.0
    var count = 0
    while count < candidates.entries.count {
      reached += exp(Double(candidates.entries[count].logit - best))
      count += 1
      if reached >= goal {
        candidates.truncate(to: count)
        return true
      }
    }
    return false
  }

  private mutating func draw(_ best: Float) -> Int32? {
    let scale = 1 / Double(options.temperature)
    var total = 0.0
    for candidate in candidates.entries { total += exp(Double(candidate.logit - best) * scale) }
    var rest = random.uniform() * total
    for candidate in candidates.entries {
      rest -= exp(Double(candidate.logit - best) * scale)
      if rest < 0 { return candidate.token }
    }
    return candidates.entries.last?.token
  }

  /// Returns the index of the greatest logit, of equal ones the lowest; nil if no logit is a number above minus infinity.
  public static func likeliest(_ logits: Span<Float>) -> Int32? {
    var best = -Float.infinity
    var block = 0
    for start in stride(from: 0, to: logits.count, by: BlockMaximum.blockSize) {
      let greatest = BlockMaximum.of(logits, from: start, to: min(start + BlockMaximum.blockSize, logits.count))
      if greatest > best {
        best = greatest
        block = start
      }
    }
    guard best > -.infinity else { return nil }
    return (block..<logits.count).first { logits[$0] == best }.map { Int32(truncatingIfNeeded: $0) }
  }
}
