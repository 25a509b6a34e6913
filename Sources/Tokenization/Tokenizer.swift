// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// Turns text into the token ids of a model, and back.
///
/// It is built from the keys `tokenizer.ggml.*` of a GGUF, and is an immutable value that any number of threads may share.
public struct Tokenizer: Sendable {
  /// The values of `tokenizer.ggml.model` that are supported.
  public static let supportedModels = ["llama", "gpt2", "gemma4"]

  private enum Model: Sendable {
    case sentencePiece(SentencePieceModel)
    case bytePair(BytePairModel)
  }

  private let model: Model
  private let pieces: TokenStrings
  private let kinds: [TokenKind]
  private let special: SpecialTokens
  private let endsGeneration: Set<Int32>

  /// The token before a text, if the model has one.
  public let beginOfText: Int32?
  /// The token after a text, if the model has one.
  public let endOfText: Int32?
  /// The token after a turn of a conversation, if the model has one.
  public let endOfTurn: Int32?
  /// Whether `encode` adds `beginOfText` at the beginning.
  public let addsBeginOfText: Bool
  /// Whether `encode` adds `endOfText` at the end.
  public let addsEndOfText: Bool
  /// Whether `encode` adds a space before a text.
  public let addsSpacePrefix: Bool

  /// The number of tokens in the vocabulary.
  public var count: Int { kinds.count }

  /// Reads a GGUF's vocabulary.
  ///
  /// - Throws: `TokenizerError` if it is absent, of an unknown kind, or contradicts itself.
  /// - Complexity: O(bytes of all tokens).
  public init(metadata: GGUFMetadata) throws(TokenizerError) {
    guard let name = metadata.string("tokenizer.ggml.model") else {
      throw .missing(key: "tokenizer.ggml.model", expected: "a string")
    }
    let vocabulary: Vocabulary
    let addsBegin: Bool
    let addsSpace: Bool
    switch name {
    case "llama":
      vocabulary = try Vocabulary(metadata, defaults: (begin: 1, end: 2, unknown: 0))
      model = .sentencePiece(SentencePieceModel(vocabulary))
      pieces = SentencePieceModel.pieces(vocabulary)
      addsBegin = true
      addsSpace = true
    case "gpt2", "gemma4":
      let rules = try PreTokenizer(named: name == "gpt2" ? metadata.string("tokenizer.ggml.pre") ?? "default" : name)
      guard let merges = metadata.byteStrings("tokenizer.ggml.merges") else {
        throw .missing(key: "tokenizer.ggml.merges", expected: "an array of strings")
      }
      vocabulary = try Vocabulary(metadata)
      pieces = rules.alphabet == .bytes ? BytePairModel.pieces(vocabulary) : SentencePieceModel.pieces(vocabulary)
      model = .bytePair(BytePairModel(vocabulary, pieces: pieces, mergeTexts: merges, preTokenizer: rules))
      addsBegin = rules.addsBeginOfText
      addsSpace = false
    default: throw .unknownModel(name)
    }
    kinds = vocabulary.kinds
    special = try SpecialTokens(pieces, kinds)
    endsGeneration = vocabulary.endOfGeneration
    beginOfText = vocabulary.beginOfText
    endOfText = vocabulary.endOfText
    endOfTurn = vocabulary.endOfTurn
    addsBeginOfText = metadata.bool("tokenizer.ggml.add_bos_token") ?? addsBegin
    addsEndOfText = metadata.bool("tokenizer.ggml.add_eos_token") ?? false
    addsSpacePrefix = metadata.bool("tokenizer.ggml.add_space_prefix") ?? addsSpace
  }

  /// Checks that the vocabulary has as many tokens as the embedding has rows.
  ///
  /// - Parameter embeddingRows: The number of rows of `token_embd.weight`.
  /// - Throws: `TokenizerError.embeddingMismatch` if they differ, because some id would have no row, or some row no text.
  public func check(embeddingRows: Int) throws(TokenizerError) {
    guard embeddingRows == count else { throw .embeddingMismatch(tokens: count, rows: embeddingRows) }
  }

  /// Returns the token ids of a text.
  ///
  /// - Parameters:
  ///   - addSpecial: Whether to add the tokens that the model needs before and after a text.
  ///   - parseSpecial: Whether control tokens written out in the text become those tokens; user-defined ones always do.
  /// - Complexity: O(n log n) for n bytes.
  public func encode(_ text: String, addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
    encode(bytes: Array(text.utf8), addSpecial: addSpecial, parseSpecial: parseSpecial)
  }

  /// Returns the token ids of a text given as bytes, which need not be well-formed UTF-8.
  ///
  /// - Precondition: fewer than 2^29 bytes.
  public func encode(bytes: [UInt8], addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
    var tokens: [Int32] = []
    tokens.reserveCapacity(bytes.count / 3 + 8)
    if addSpecial, addsBeginOfText, let beginOfText { tokens.append(beginOfText) }
    var parts = Parts()
    let text = bytes.span
    special.split(text, parsingControl: parseSpecial) { append($0, of: text, to: &tokens, &parts) }
    if addSpecial, addsEndOfText, let endOfText { tokens.append(endOfText) }
    return tokens
  }

  /// Returns the token ids of a prompt of which only parts may become special tokens. No token is added.
  ///
  /// The text between special tokens is encoded as a whole, even across the ends of ranges. So the ids are those of the whole text,
  /// unless the parts that are not trusted contain the text of a special token.
  ///
  /// - Parameters:
  ///   - trusted: Ascending ranges of `bytes`. A control token must lie within one of them.
  ///   - marks: User-defined tokens that must also lie within a trusted range (see `userDefinedTokens`). All others count as text
  ///     and are found everywhere.
  /// - Precondition: fewer than 2^29 bytes.
  public func encode(bytes: [UInt8], trusted: [Range<Int>], marks: Set<Int32> = []) -> [Int32] {
    var tokens: [Int32] = []
    tokens.reserveCapacity(bytes.count / 3 + 8)
    var parts = Parts()
    let text = bytes.span
    special.split(text, trusted: trusted, marks: marks) { append($0, of: text, to: &tokens, &parts) }
    return tokens
  }

  /// What the parts of a text share while they are encoded.
  private struct Parts {
    var merger = SymbolMerger()
    var followsSpecial = true
  }

  private func append(_ part: SpecialTokens.Part, of text: Span<UInt8>, to tokens: inout [Int32], _ parts: inout Parts) {
    switch part {
    case .token(let token):
      tokens.append(token)
      parts.followsSpecial = true
    case .text(let range):
      switch model {
      case .sentencePiece(let model):
        let addsSpace = addsSpacePrefix && parts.followsSpecial
        model.encode(text.extracting(range), addingSpace: addsSpace, into: &tokens, &parts.merger)
      case .bytePair(let model): model.encode(text.extracting(range), into: &tokens, &parts.merger)
      }
      parts.followsSpecial = false
    }
  }

  /// Returns the user-defined tokens in a text, except those that consist only of white space.
  public func userDefinedTokens(in text: String) -> Set<Int32> {
    var found: Set<Int32> = []
    let bytes = Array(text.utf8)
    special.split(bytes.span, parsingControl: false) { part in
      if case .token(let token) = part, !pieces[Int(token)].allSatisfy({ $0 == 0x20 || (0x09...0x0d).contains($0) }) {
        found.insert(token)
      }
    }
    return found
  }

  /// Returns the control tokens whose text satisfies `isWanted`.
  public func controlTokens(where isWanted: (String) -> Bool) -> Set<Int32> {
    var found: Set<Int32> = []
    for id in kinds.indices where kinds[id] == .control && isWanted(String(decoding: pieces[id], as: UTF8.self)) {
      found.insert(Int32(id))
    }
    return found
  }

  /// Returns the bytes that a token prints as, possibly only part of a character (`TokenStream` joins them).
  ///
  /// - Parameter showsControl: Whether control tokens appear as their text; otherwise they are empty.
  /// - Returns: An empty slice for an id outside the vocabulary.
  public func bytes(of token: Int32, showsControl: Bool = false) -> ArraySlice<UInt8> {
    guard token >= 0, Int(token) < count else { return [] }
    switch kinds[Int(token)] {
    case .normal, .userDefined, .byte, .undefined: return pieces[Int(token)]
    case .control, .unknown, .unused: return showsControl ? pieces[Int(token)] : []
    }
  }

  /// Returns the text of a token of any kind. What is not UTF-8 in it becomes U+FFFD.
  public func text(of token: Int32) -> String { String(decoding: bytes(of: token, showsControl: true), as: UTF8.self) }

  /// Returns the text of a sequence of tokens that begins a text.
  public func decode(_ tokens: some Sequence<Int32>, showsControl: Bool = false) -> String {
    var stream = TokenStream(self, showsControl: showsControl, beginsText: true)
    var text = ""
    for token in tokens { text += stream.append(token) }
    return text + stream.finish()
  }

  /// Whether `text` as a whole is a control token or a user-defined token.
  public func hasSpecialToken(_ text: String) -> Bool { special.contains(text) }

  /// Whether this token ends a generation.
  public func isEndOfGeneration(_ token: Int32) -> Bool { endsGeneration.contains(token) }
}
