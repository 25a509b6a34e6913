// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Generation
import Inference
import ModelConsole
import PackFormat
import Tokenization

/// The options for proposing tokens, so that one step can yield several.
struct DraftArguments: ParsableArguments {
  @Option(
    help: """
      Check several proposed tokens in one step: those of ngram, which proposes what followed the last time in the text; of mtp, a layer \
      that some models have for this; or of the smaller model in PACK, which must have the same vocabulary. Answers stay the same.
      """)
  var draft: String?

  /// Whether tokens are proposed.
  var isGiven: Bool { draft != nil }

  /// Whether the model itself proposes them.
  var isOwn: Bool { draft == "mtp" }

  func validate() throws {
    if let draft, draft.isEmpty { throw ValidationError("--draft: give ngram, mtp or a pack") }
  }

  /// Opens the draft pack if one is named, and checks that its vocabulary is that of the other model.
  func open(_ tokenizer: Tokenizer) throws -> Pack? {
    guard let draft, !isOwn, draft != "ngram" else { return nil }
    let small = try Pack.open(named: draft)
    try DraftModel.check(small, name: draft, against: tokenizer)
    return small
  }

  /// Returns what proposes tokens for the model of `session`; nil if nothing does.
  ///
  /// - Parameter pack: The result of `open`.
  func drafter(_ pack: Pack?, for session: Session) throws -> Drafter? {
    guard let draft else { return nil }
    let source: Drafter.Source
    if let pack {
      source = .model(try DraftModel(pack, name: draft, with: session))
    } else {
      source = isOwn ? .predictionLayer : .repeatedText
    }
    return try Drafter(source, for: session.model)
  }
}

extension DraftError: FailureConvertible {
  package var failure: Failure {
    if case .model(_, let error) = self { return Failure("--draft: \(problem)", exitCode: error.failure.exitCode) }
    return Failure("--draft: \(problem)")
  }
}
