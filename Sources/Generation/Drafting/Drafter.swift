// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference

/// Proposes tokens that a model may be about to say, so that one step can check several of them.
///
/// The answer does not depend on it: a proposal is kept only if the sampler chooses the same token, with the logits and random
/// numbers that it would have had without proposals.
public final class Drafter {
  /// Where proposals come from.
  public enum Source {
    /// The text itself: what followed when its last tokens occurred before.
    case repeatedText
    /// A smaller model.
    case model(DraftModel)
    /// The model's own prediction layer, which must be computed.
    case predictionLayer
  }

  /// The largest number of tokens that are proposed for a step.
  public static let mostTokens = DraftLength.most
  /// The same for models whose layers keep a state, because each tentative token needs a copy of it.
  public static let mostTokensOfState = 8

  private let source: Source
  private let model: Model
  private var text: RepeatedText
  private var length = DraftLength()

  /// Makes a drafter for sequences of `model`.
  ///
  /// - Throws: `keepsNoCopies` if a sequence of `model` cannot be cut back by a few tokens, which `ModelOptions.tentativeCount`
  ///   allows; `predictsNothing` if its prediction layer is not computed but wanted.
  public init(_ source: Source, for model: Model) throws(DraftError) {
    guard model.mostTentativeTokens > 0 else { throw .keepsNoCopies(architecture: model.configuration.architecture.name) }
    if case .predictionLayer = source, !model.predicts { throw .predictsNothing }
    (self.source, self.model) = (source, model)
    text = RepeatedText(capacity: model.contextLength)
  }

  /// Notes a token of the text.
  func note(_ token: Int32) { text.append(token) }

  /// Replaces `draft` by what may come after the last noted token, at most `limit` tokens.
  ///
  /// - Parameter sequence: The model's sequence, which holds all noted tokens except the last.
  func propose(_ limit: Int, after sequence: Int, into draft: inout [Int32]) throws(ModelError) {
    draft.removeAll(keepingCapacity: true)
    guard limit > 0 else { return }
    let limit = min(limit, length.next())
    guard limit > 0 else { return }
    switch source {
    case .repeatedText: text.foresee(limit, into: &draft)
    case .model(let model): try model.foresee(text.tokens, limit, into: &draft)
    case .predictionLayer: try predict(limit, after: sequence, into: &draft)
    }
  }

  /// Adds to `draft` what the model's prediction layer considers likeliest, one token after another.
  private func predict(_ limit: Int, after sequence: Int, into draft: inout [Int32]) throws(ModelError) {
    guard var token = text.tokens.last else { return }
    for offset in 0..<limit {
      var next: Int32?
      try model.foresee(token, after: sequence, offset: offset) { logits in next = Sampler.likeliest(logits) }
      guard let next else { return }
      draft.append(next)
      token = next
    }
  }

  /// Notes the outcome of a step's proposals.
  func note(proposed: Int, accepted: Int) { length.note(proposed: proposed, accepted: accepted) }
}

/// The outcome of an answer's proposals.
public struct DraftCount: Sendable, Equatable {
  /// The number of steps after the prompt.
  public var steps = 0
  /// The number of tokens proposed.
  public var proposed = 0
  /// The number of proposals that the sampler also chose.
  public var accepted = 0

  /// Makes a count of nothing.
  public init() {}

  mutating func note(proposed: Int, accepted: Int) {
    steps += 1
    self.proposed += proposed
    self.accepted += accepted
  }

  /// The mean number of accepted proposals per step.
  public var acceptedPerStep: Double { steps > 0 ? Double(accepted) / Double(steps) : 0 }
}
