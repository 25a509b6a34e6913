// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference

/// Proposes tokens that a model may be about to say, so that one step checks several of them.
///
/// Nothing that is said depends on it: of the proposals only those stay that the sampler chooses, with the logits and the random
/// numbers that it would have had without them.
public final class Drafter {
  /// Where proposals come from.
  public enum Source {
    /// The text itself: what followed the last time.
    case repeatedText
    /// A smaller model.
    case model(DraftModel)
    /// The model's own prediction layer, which must be computed.
    case predictionLayer
  }

  /// Tokens that are proposed for a step at most.
  public static let mostTokens = DraftLength.most
  /// The same where layers keep a state, a copy of which is kept of before each.
  public static let mostTokensOfState = 8

  private let source: Source
  private let model: Model
  private var text: RepeatedText
  private var length = DraftLength()

  /// Proposes for the sequences of `model`.
  ///
  /// - Throws: Where a sequence of `model` cannot be cut back by a few tokens: `ModelOptions.tentativeCount` says by how many.
  public init(_ source: Source, for model: Model) throws(DraftError) {
    guard model.mostTentativeTokens > 0 else { throw .keepsNoCopies(architecture: model.configuration.architecture.name) }
    if case .predictionLayer = source, !model.predicts { throw .predictsNothing }
    (self.source, self.model) = (source, model)
    text = RepeatedText(capacity: model.contextLength)
  }

  /// Takes note of a token of the text.
  func note(_ token: Int32) { text.append(token) }

  /// Replaces `draft` by what may come after the last token that was noted, at most `limit` tokens.
  ///
  /// - Parameter sequence: The model's, which has all tokens but that one.
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

  /// Adds to `draft` what the model's prediction layer takes for likeliest, one token after the other.
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

  /// Takes note of what came of a step's proposals.
  func note(proposed: Int, accepted: Int) { length.note(proposed: proposed, accepted: accepted) }
}

/// What came of an answer's proposals.
public struct DraftCount: Sendable, Equatable {
  /// Steps after the prompt's.
  public var steps = 0
  /// Tokens proposed.
  public var proposed = 0
  /// Those that the sampler chose, too.
  public var accepted = 0

  /// Nothing so far.
  public init() {}

  mutating func note(proposed: Int, accepted: Int) {
    steps += 1
    self.proposed += proposed
    self.accepted += accepted
  }

  /// Proposals that came true for each step.
  public var acceptedPerStep: Double { steps > 0 ? Double(accepted) / Double(steps) : 0 }
}
