// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference
import PackFormat
import PackRuntime
import Tokenization

/// A smaller model with the same vocabulary, which predicts what a larger one will say.
///
/// It computes on the threads of the larger model, in turn with it.
public final class DraftModel {
  private let model: Model
  private var cache = CachedSequence()

  /// Checks that a pack has the same vocabulary as the model that it is to draft for.
  ///
  /// - Parameter name: The name of the pack in error messages.
  /// - Complexity: O(vocabulary).
  public static func check(_ pack: Pack, name: String, against tokenizer: Tokenizer) throws(DraftError) {
    let own: Tokenizer
    do { own = try Tokenizer(metadata: pack.metadata) } catch { throw .noVocabulary(name: name, problem: error.description) }
    for token in 0..<Int32(min(own.count, tokenizer.count)) where own.bytes(of: token) != tokenizer.bytes(of: token) {
      throw .otherVocabulary(name: name, token: Int(token))
    }
    guard own.count == tokenizer.count else { throw .otherVocabulary(name: name, token: min(own.count, tokenizer.count)) }
  }

  /// Places a pack with the same vocabulary on the threads of `session`.
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

  /// Uses a model with the same vocabulary that is already in memory.
  init(_ model: Model) { self.model = model }

  /// Adds the likeliest tokens after a text to `draft`, at most `limit` of them.
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
