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
  }

  /// Tokens that are proposed for a step at most.
  public static let mostTokens = DraftLength.most
  /// The same where layers keep a state, a copy of which is kept of before each.
  public static let mostTokensOfState = 8

  private let source: Source
  private var text: RepeatedText
  private var length = DraftLength()

  /// Proposes for the sequences of `model`.
  ///
  /// - Throws: Where a sequence of `model` cannot be cut back by a few tokens: `ModelOptions.tentativeCount` says by how many.
  public init(_ source: Source, for model: Model) throws(DraftError) {
    guard model.mostTentativeTokens > 0 else { throw .keepsNoCopies(architecture: model.configuration.architecture.name) }
    self.source = source
    text = RepeatedText(capacity: model.contextLength)
  }

  /// Takes note of a token of the text.
  func note(_ token: Int32) { text.append(token) }

  /// Replaces `draft` by what may come next, at most `limit` tokens.
  func propose(_ limit: Int, into draft: inout [Int32]) throws(ModelError) {
    draft.removeAll(keepingCapacity: true)
    guard limit > 0 else { return }
    let limit = min(limit, length.next())
    guard limit > 0 else { return }
    switch source {
    case .repeatedText: text.foresee(limit, into: &draft)
    case .model(let model): try model.foresee(text.tokens, limit, into: &draft)
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
