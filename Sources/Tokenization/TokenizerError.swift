// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Why a GGUF's vocabulary cannot be used; each case prints as one line.
public enum TokenizerError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A key that this kind of tokenizer needs is absent or of another type.
  case missing(key: String, expected: String)
  /// `tokenizer.ggml.model` names an unknown kind of tokenizer.
  case unknownModel(String)
  /// `tokenizer.ggml.pre` names an unknown way of splitting text into words.
  case unknownPreTokenizer(String)
  /// Two arrays that describe the same tokens differ in length.
  case lengthMismatch(key: String, count: Int, tokens: Int)
  /// The vocabulary holds no token, or more than token ids can number.
  case badSize(Int)
  /// A special token's id lies outside the vocabulary.
  case idOutOfRange(key: String, id: Int, tokens: Int)
  /// The vocabulary and the embedding disagree about how many tokens there are.
  case embeddingMismatch(tokens: Int, rows: Int)

  /// The line to print.
  public var description: String {
    switch self {
    case .missing(let key, let expected):
      "the vocabulary cannot be read: key \(key) is absent or not \(expected); convert the model again with its tokenizer"
    case .unknownModel(let name):
      "tokenizer.ggml.model is \"\(name)\"; supported are: \(Tokenizer.supportedModels.joined(separator: ", "))"
        + " (token ids can still be evaluated: packrun logits)"
    case .unknownPreTokenizer(let name):
      "tokenizer.ggml.pre is \"\(name)\"; supported are: \(PreTokenizer.supportedNames.joined(separator: ", "))"
    case .lengthMismatch(let key, let count, let tokens):
      "the vocabulary contradicts itself: \(key) has \(count) elements, tokenizer.ggml.tokens has \(tokens)"
    case .badSize(let count):
      "tokenizer.ggml.tokens has \(count) elements; a vocabulary has 1 to \(Int32.max)"
    case .idOutOfRange(let key, let id, let tokens):
      "\(key) is \(id), but the vocabulary has tokens 0 to \(tokens - 1)"
    case .embeddingMismatch(let tokens, let rows):
      "the vocabulary has \(tokens) tokens, but token_embd.weight has \(rows) rows; convert the model again"
    }
  }
}
