// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// Why a GGUF's vocabulary cannot be used; each case prints as one line.
public enum TokenizerError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A key that this kind of tokenizer needs is absent or of another type.
  case missing(key: String, expected: String)
  /// `tokenizer.ggml.model` names a kind of tokenizer that is not supported.
  case unknownModel(String)
  /// `tokenizer.ggml.pre` names a way of splitting text into words that is not supported.
  case unknownPreTokenizer(String)
  /// Two arrays that describe the same tokens differ in length.
  case lengthMismatch(key: String, count: Int, tokens: Int)
  /// The vocabulary has no tokens, or more than a token id can count.
  case badSize(Int)
  /// The texts of control and user-defined tokens are together longer than in any real vocabulary.
  case specialTokensTooLong(limit: Int)
  /// A special token's id is outside the vocabulary.
  case idOutOfRange(key: String, id: Int, tokens: Int)
  /// The vocabulary and the embedding have different numbers of tokens.
  case embeddingMismatch(tokens: Int, rows: Int)

  /// Kinds of tokenizer that are not supported, by their name in the file.
  private static let kinds = [
    "bert": "WordPiece", "t5": "a unigram model", "rwkv": "a greedy tokenizer", "plamo2": "PLaMo-2's unigram model",
    "whitespace": "words between spaces", "hybriddna": "DNA letters", "none": "no vocabulary",
  ]

  /// The error in one line.
  public var description: String {
    switch self {
    case .missing(let key, let expected):
      "the vocabulary cannot be read: key \(key) is absent or not \(expected); convert the model again with its tokenizer"
    case .unknownModel(let name):
      "tokenizer.ggml.model is \(name.quoted)\(Self.kinds[name].map { " (\($0))" } ?? "");"
        + " supported: \(Tokenizer.supportedModels.joined(separator: ", "))"
    case .unknownPreTokenizer(let name):
      "tokenizer.ggml.pre is \(name.quoted); supported: \(PreTokenizer.supportedNames.joined(separator: ", "))"
    case .lengthMismatch(let key, let count, let tokens):
      "the vocabulary contradicts itself: \(key) has \(count) elements, tokenizer.ggml.tokens has \(tokens)"
    case .specialTokensTooLong(let limit):
      "the control and user-defined tokens of the vocabulary have more than \(limit) bytes of text; this is not a model's tokenizer"
    case .badSize(let count): "tokenizer.ggml.tokens has \(count) elements; a vocabulary has 1 to \(Int32.max)"
    case .idOutOfRange(let key, let id, let tokens): "\(key) is \(id), but the vocabulary has tokens 0 to \(tokens - 1)"
    case .embeddingMismatch(let tokens, let rows):
      "the vocabulary has \(tokens) tokens, but token_embd.weight has \(rows) rows; convert the model again"
    }
  }
}
