// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference

/// Why tokens cannot be drafted.
public enum DraftError: Error, Equatable {
  /// The model's layers keep a state, and no copies of it to return to when proposals are rejected.
  case keepsNoCopies(architecture: String)
  /// The models' vocabularies differ, first at this token.
  case otherVocabulary(name: String, token: Int)
  /// The pack is made for another number of nodes.
  case otherNodes(name: String, nodes: Int, expected: Int)
  /// The pack has no vocabulary to compare texts by.
  case noVocabulary(name: String, problem: String)
  /// The smaller model cannot be computed.
  case model(name: String, ModelError)
  /// The model has no prediction layer, or was opened without it.
  case predictsNothing

  /// What is wrong.
  public var problem: String {
    switch self {
    case .keepsNoCopies(let architecture):
      "the layers of \(architecture) keep a state, without copies of it to go back to, so nothing can be drafted for it"
    case .otherVocabulary(let name, let token):
      "\(name): its vocabulary differs (at token \(token)), so it cannot draft for this model"
    case .otherNodes(let name, let nodes, let expected):
      "\(name): the pack is made for \(nodes) nodes, but this model runs on \(expected); convert it again with --nodes \(expected)"
    case .noVocabulary(let name, let problem): "\(name): \(problem)"
    case .model(let name, let error): "\(name): \(error.problem)"
    case .predictsNothing: "the model's prediction layers (MTP) are not loaded"
    }
  }
}
