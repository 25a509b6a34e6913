// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackRuntime

/// Why a model cannot be computed from a pack.
public enum ModelError: Error, Remediable, Equatable {
  /// The architecture is not supported.
  case unknownArchitecture(name: String)
  /// A key that the graph needs is absent.
  case missingKey(key: String)
  /// A key's value lies outside what the graph can use.
  case badValue(key: String, value: String, expected: String)
  /// A key changes what the architecture computes, and this program does not support it.
  case unsupportedKey(key: String, value: String)
  /// The model has no prediction layers, or those of its architecture are not supported.
  case cannotPredict(architecture: String, hasLayers: Bool)
  /// A tensor that the graph needs is absent.
  case missingTensor(name: String)
  /// A tensor's dimensions contradict the metadata.
  case wrongShape(name: String, shape: [Int], expected: [Int])
  /// A tensor's rows are divided among the nodes in a way that the graph cannot use.
  case badDivision(name: String, other: String)
  /// No part of the graph reads this tensor.
  case unusedTensor(name: String)
  /// A tensor has the form of an older converter.
  case oldForm(name: String, advice: String)
  /// No kernel multiplies weights of this type.
  case noKernel(name: String, type: String)
  /// The processor lacks the requested instruction set, or there is none of that name.
  case unknownKernels(name: String, available: [String])
  /// The tokens do not fit into the context.
  case contextFull(tokens: Int, contextLength: Int)
  /// A token id outside the vocabulary.
  case tokenOutOfRange(token: Int, vocabularySize: Int)
  /// Some nodes have too little free memory for keys, values and activations.
  case noRoom([NodeShortage], contextLength: Int, sequenceCount: Int)
  /// Keys, values and activations do not fit into memory, but would with a context of at most `largest` tokens.
  case contextTooLong(RuntimeError, largest: Int)
  /// Something requested is larger than can be computed.
  case tooLarge(what: String)
  /// No logit is a finite number.
  case noFiniteLogit
  /// An error of the pack, the machine or its memory.
  case runtime(RuntimeError)

  /// What is wrong, in one line.
  public var problem: String {
    switch self {
    case .unknownArchitecture(let name):
      let known = Architecture.all.map(\.name).joined(separator: ", ")
      return "architecture '\(name)' is not supported; supported: \(known)"
    case .missingKey(let key): return "the model's metadata has no \(key); convert a complete GGUF"
    case .badValue(let key, let value, let expected): return "the model's \(key) is \(value), expected \(expected)"
    case .unsupportedKey(let key, let value):
      return "the model's \(key) is \(value), which is not supported for this architecture"
    case .badDivision(let name, let other):
      return "the rows of tensor \(name) are divided over the nodes differently from those of \(other); convert the model again"
    case .unusedTensor(let name):
      return "the model has a tensor \(name), which is not supported for this architecture"
    case .oldForm(let name, let advice): return "tensor \(name) is in the form of an older converter; \(advice)"
    case .cannotPredict(let architecture, true):
      return "the prediction layers (MTP) of \(architecture) are not supported; ngram or a smaller pack can draft for it"
    case .cannotPredict(_, false): return "the model has no prediction layers (MTP); ngram or a smaller pack can draft for it"
    case .missingTensor(let name): return "the model has no tensor \(name)"
    case .wrongShape(let name, let shape, let expected):
      return "tensor \(name) has shape \(shape), which contradicts the metadata: expected \(expected)"
    case .noKernel(let name, let type): return "tensor \(name) is of type \(type), which no kernel multiplies"
    case .unknownKernels(let name, let available):
      return "no kernels '\(name)' for this processor; it runs \(available.joined(separator: ", "))"
    case .contextFull(let tokens, let contextLength):
      return "\(tokens) tokens do not fit into the context of \(contextLength)"
    case .tokenOutOfRange(let token, let vocabularySize):
      return "token \(token) is outside the vocabulary of \(vocabularySize)"
    case .noRoom(let nodes, let contextLength, let sequenceCount):
      let short = nodes.map { "node \($0.node) has \(ByteCount($0.free)) free and \(ByteCount($0.needed)) are needed" }
      let sequences = sequenceCount == 1 ? "" : " for each of \(sequenceCount) sequences"
      return "too little memory for a context of \(contextLength) tokens\(sequences): \(short.joined(separator: ", "))"
    case .tooLarge(let what): return "\(what) is too large for this machine"
    case .noFiniteLogit: return "the model computes no numbers; its weights are damaged, or made for another architecture"
    case .runtime(let error), .contextTooLong(let error, _): return error.problem
    }
  }

  /// What would help the user.
  public var remedies: [Remedy] {
    switch self {
    case .contextFull: [.shorterPrompt, .longerContext]
    case .noRoom(_, _, let sequenceCount): [.shorterContext] + (sequenceCount == 1 ? [] : [.fewerSequences]) + [.smallerCache]
    case .contextTooLong(let error, let largest): [.contextOf(largest)] + error.remedies.filter { $0 != .shorterContext }
    case .runtime(let error): error.remedies
    default: []
    }
  }
}
