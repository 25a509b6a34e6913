// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How the next token is chosen from the logits.
public struct SamplingOptions: Sendable, Hashable {
  /// Divides the logits: below 1 the likely tokens gain, above 1 the unlikely ones. 0 always takes the likeliest token.
  public var temperature: Float
  /// Only this many of the likeliest tokens stay; 0 for all.
  public var topK: Int
  /// Only the likeliest tokens stay whose probabilities together reach this; 1 for all.
  public var topP: Float
  /// Only tokens stay that are at least this fraction as probable as the likeliest; 0 for all.
  public var minP: Float
  /// Divides positive logits of recent tokens, and multiplies negative ones; 1 for none.
  public var repetitionPenalty: Float
  /// How many of the last tokens count as recent.
  public var repetitionWindow: Int
  /// Taken from the logits of all tokens that the answer has already; 0 for nothing.
  public var presencePenalty: Float = 0
  /// Taken from the logits of the tokens that the answer has already, once for each time that it has them; 0 for nothing.
  public var frequencyPenalty: Float = 0
  /// Added to the logits of these tokens; minus infinity forbids one.
  public var logitBias: [Int32: Float] = [:]
  /// The seed of the random numbers.
  public var seed: UInt64

  /// The defaults are those of llama.cpp's programs.
  public init(
    temperature: Float = 0.8, topK: Int = 40, topP: Float = 0.95, minP: Float = 0.05, repetitionPenalty: Float = 1,
    repetitionWindow: Int = 64, seed: UInt64 = 0
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
    self.repetitionWindow = repetitionWindow
    self.seed = seed
  }

  /// Always the likeliest token.
  public static let greedy = SamplingOptions(temperature: 0)

  /// What is wrong with the options, in one line; nil if nothing is.
  public var complaint: String? {
    if !(temperature >= 0 && temperature.isFinite) { return "temperature is \(temperature); it must be 0 or more" }
    if topK < 0 { return "top-k is \(topK); it must be 0 (off) or more" }
    if !(topP > 0 && topP <= 1) { return "top-p is \(topP); it must be above 0 and at most 1 (off)" }
    if !(minP >= 0 && minP <= 1) { return "min-p is \(minP); it must be 0 (off) to 1" }
    if !(repetitionPenalty > 0 && repetitionPenalty.isFinite) {
      return "repetition penalty is \(repetitionPenalty); it must be above 0 (1 is off)"
    }
    if repetitionWindow < 0 { return "repetition window is \(repetitionWindow); it must be 0 or more" }
    if !presencePenalty.isFinite { return "presence penalty is \(presencePenalty); it must be a number" }
    if !frequencyPenalty.isFinite { return "frequency penalty is \(frequencyPenalty); it must be a number" }
    if let (token, bias) = logitBias.first(where: { $0.value.isNaN || $0.value == .infinity }) {
      return "logit bias of token \(token) is \(bias); it must be a number"
    }
    return nil
  }
}
