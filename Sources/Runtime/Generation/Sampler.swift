import Glibc

/// Chooses the next token from the logits.
///
/// In this order: repetition penalty, top-k, top-p, min-p, temperature, a random choice. With temperature 0 the likeliest
/// token, the lowest id among equals. The same options, logits and earlier tokens give the same token on every machine
/// whose `exp` is the same. All memory is allocated at the beginning.
public struct Sampler: Sendable {
  /// The options.
  public let options: SamplingOptions
  private let vocabularySize: Int
  private var random: SplitMix64
  private var penalised: [Float]
  private var candidates: CandidateHeap
  /// The last tokens, a ring; `oldest` is where the next one goes once it is full.
  private var recent: [Int32] = []
  private var oldest = 0

  /// Sets memory aside for logits of `vocabularySize` tokens.
  public init(_ options: SamplingOptions, vocabularySize: Int) {
    self.options = options
    self.vocabularySize = vocabularySize
    random = SplitMix64(seed: options.seed)
    let penalises = options.repetitionPenalty != 1 && options.repetitionWindow > 0
    penalised = [Float](repeating: 0, count: penalises ? vocabularySize : 0)
    recent.reserveCapacity(penalises ? options.repetitionWindow : 0)
    let kept = options.topK > 0 ? min(options.topK, vocabularySize) : vocabularySize
    candidates = CandidateHeap(capacity: options.temperature > 0 ? kept : 0)
  }

  /// Notes a token of the prompt or of the answer, for the repetition penalty.
  public mutating func accept(_ token: Int32) {
    guard !penalised.isEmpty, token >= 0, Int(token) < vocabularySize else { return }
    if recent.count < options.repetitionWindow {
      recent.append(token)
    } else {
      recent[oldest] = token
      oldest = (oldest + 1) % recent.count
    }
  }

  /// The next token; it is not noted yet (`accept`).
  ///
  /// - Parameter logits: One for each token of the vocabulary; those that are no numbers are passed over.
  /// - Returns: nil if there is no logit above minus infinity: the model has computed nonsense.
  /// - Complexity: O(vocabulary), without allocation.
  public mutating func sample(_ logits: Span<Float>) -> Int32? {
    guard !penalised.isEmpty, logits.count == vocabularySize else { return choose(logits) }
    penalise(logits)
    // Taken out for the call, so that the span does not overlap the access to self.
    var values: [Float] = []
    swap(&values, &penalised)
    let token = choose(values.span)
    swap(&values, &penalised)
    return token
  }

  private mutating func penalise(_ logits: Span<Float>) {
    for index in logits.indices { penalised[index] = logits[index] }
    for token in recent {
      let index = Int(token)
      // From the original, so that a token that occurs twice is not penalised twice.
      let logit = logits[index]
      penalised[index] = logit > 0 ? logit / options.repetitionPenalty : logit * options.repetitionPenalty
    }
  }

  private mutating func choose(_ logits: Span<Float>) -> Int32? {
    guard options.temperature > 0 else { return Self.likeliest(logits) }
    candidates.keepBest(options.topK > 0 ? options.topK : logits.count, of: logits)
    guard let best = candidates.entries.first else { return nil }
    // A logit of plus infinity leaves no choice.
    guard best.logit < .infinity else { return best.token }
    applyTopP(best.logit)
    applyMinP(best.logit)
    return draw(best.logit)
  }

  private mutating func applyTopP(_ best: Float) {
    guard options.topP < 1 else { return }
    var total = 0.0
    for candidate in candidates.entries { total += exp(Double(candidate.logit - best)) }
    var reached = 0.0
    for (index, candidate) in candidates.entries.enumerated() {
      reached += exp(Double(candidate.logit - best))
      if reached >= Double(options.topP) * total { return candidates.truncate(to: index + 1) }
    }
  }

  private mutating func applyMinP(_ best: Float) {
    guard options.minP > 0 else { return }
    let least = best + logf(options.minP)
    if let first = candidates.entries.firstIndex(where: { $0.logit < least }) { candidates.truncate(to: max(1, first)) }
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

  /// The index of the greatest logit, the lowest among equals; nil if none is a number above minus infinity.
  public static func likeliest(_ logits: Span<Float>) -> Int32? {
    var best = -Float.infinity
    var token: Int32?
    for index in logits.indices where logits[index] > best {
      best = logits[index]
      token = Int32(truncatingIfNeeded: index)
    }
    return token
  }
}
