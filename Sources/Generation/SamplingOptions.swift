// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How the next token is chosen from the logits.
public struct SamplingOptions: Sendable, Hashable {
  /// What logits are divided by: below 1 likely tokens gain, above 1 unlikely ones do. 0 always takes the likeliest token.
  public var temperature: Float
  /// The number of likeliest tokens that are kept; 0: all.
  public var topK: Int
  /// The probability that the kept likeliest tokens must together reach; 1: all are kept.
  public var topP: Float
  /// The fraction of the likeliest token's probability that a token needs to be kept; 0: all are kept.
  public var minP: Float
  /// What positive logits of recent tokens are divided by, and negative ones multiplied by; 1: off.
  public var repetitionPenalty: Float
  /// The number of last tokens that count as recent.
  public var repetitionWindow: Int
  /// What is subtracted from the logits of all tokens that already occur in the answer; 0: off.
  public var presencePenalty: Float = 0
  /// What is subtracted from a token's logit for each time that it occurs in the answer; 0: off.
  public var frequencyPenalty: Float = 0
  /// What is added to the logits of these tokens; minus infinity forbids one.
  public var logitBias: [Int32: Float] = [:]
  /// The seed of the random numbers.
  public var seed: UInt64

  /// Makes options with the defaults of llama.cpp's programs.
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

  /// Options that always choose the likeliest token.
  public static let greedy = SamplingOptions(temperature: 0)

  /// What is wrong with the options, in one line; nil: nothing.
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
