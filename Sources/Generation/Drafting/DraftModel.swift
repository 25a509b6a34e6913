// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference
import PackFormat
import PackRuntime
import Tokenization

/// A smaller model with the same vocabulary, which foresees what a larger one will say.
///
/// It computes on the threads of the larger one, in turn with it.
public final class DraftModel {
  private let model: Model
  private var cache = CachedSequence()

  /// Compares a pack's vocabulary with that of the model that it is to propose tokens for.
  ///
  /// - Parameter name: The pack's, for messages.
  /// - Complexity: O(vocabulary).
  public static func check(_ pack: Pack, name: String, against tokenizer: Tokenizer) throws(DraftError) {
    let own: Tokenizer
    do { own = try Tokenizer(metadata: pack.metadata) } catch { throw .noVocabulary(name: name, problem: error.description) }
    for token in 0..<Int32(min(own.count, tokenizer.count)) where own.bytes(of: token) != tokenizer.bytes(of: token) {
      throw .otherVocabulary(name: name, token: Int(token))
    }
    guard own.count == tokenizer.count else { throw .otherVocabulary(name: name, token: min(own.count, tokenizer.count)) }
  }

  /// Places a pack of the same vocabulary on the threads of `session`.
  public init(_ pack: Pack, name: String, with session: Session) throws(DraftError) {
    let (nodes, teams) = (pack.manifest.nodeCount, session.teams.teamCount)
    guard pack.manifest.placement == .mirror || nodes == teams || teams == 1 else {
      throw .otherNodes(name: name, nodes: nodes, expected: teams)
    }
    var options = session.options.model
    (options.contextLength, options.sequenceCount, options.logitRows) = (session.model.contextLength, 1, 1)
    options.predicts = false
    let metadata = pack.metadata
    let weights: MappedPack
    do { weights = try MappedPack(pack, teams: session.teams, options: session.options.memory) } catch {
      throw .model(name: name, .runtime(error))
    }
    do { model = try Model(metadata: metadata, weights: weights, teams: session.teams, options: options) } catch {
      throw .model(name: name, error)
    }
    guard model.vocabularySize == session.model.vocabularySize else {
      throw .otherVocabulary(name: name, token: min(model.vocabularySize, session.model.vocabularySize))
    }
  }

  /// A model of the same vocabulary that is there already.
  init(_ model: Model) { self.model = model }

  /// Adds to `draft` the tokens that follow a text, at most `limit` of them: the likeliest ones.
  func foresee(_ text: [Int32], _ limit: Int, into draft: inout [Int32]) throws(ModelError) {
    guard text.count + limit <= model.contextLength else { return }
    var (rest, tentative) = (cache.rest(of: text, in: model), 0)
    for _ in 0..<limit {
      var next: Int32?
      try model.read(rest, tentative: tentative) { _, logits in next = Sampler.likeliest(logits) }
      cache.note(rest, in: model)
      guard let next else { return }
      draft.append(next)
      (rest, tentative) = ([next], 1)
    }
  }
}
