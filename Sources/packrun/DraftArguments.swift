// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Generation
import Inference
import ModelConsole
import PackFormat
import Tokenization

/// How tokens are proposed, so that one step may yield several.
struct DraftArguments: ParsableArguments {
  @Option(
    help: """
      Check several proposed tokens in one step: those of ngram, which proposes what followed the last time in the text; of mtp, a layer \
      that some models have for this; or of the smaller model in PACK, which must have the same vocabulary. Answers stay the same.
      """)
  var draft: String?

  /// Whether some are to be proposed.
  var isGiven: Bool { draft != nil }

  /// Whether the model is to propose them itself.
  var isOwn: Bool { draft == "mtp" }

  func validate() throws {
    if let draft, draft.isEmpty { throw ValidationError("--draft: give ngram, mtp or a pack") }
  }

  /// Opens the pack that is named, if there is one, and finds out whether its vocabulary is that of another model.
  func open(_ tokenizer: Tokenizer) throws -> Pack? {
    guard let draft, !isOwn, draft != "ngram" else { return nil }
    let small = try Pack.open(named: draft)
    try DraftModel.check(small, name: draft, against: tokenizer)
    return small
  }

  /// What proposes tokens for the model of `session`; nil if nothing is to.
  ///
  /// - Parameter pack: What `open` gave.
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
