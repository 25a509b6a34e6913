// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// The kind of a token; the raw values are GGUF's (`tokenizer.ggml.token_type`).
enum TokenKind: Int, Sendable {
  case undefined = 0
  /// A piece of text.
  case normal = 1
  /// The token for text that no other token covers.
  case unknown = 2
  /// A token with a special meaning, such as the end of a turn; never text.
  case control = 3
  /// Text that is recognised in a prompt before anything else.
  case userDefined = 4
  case unused = 5
  /// One byte, written `<0x0A>`.
  case byte = 6
}

/// The tokens of a GGUF as its metadata lists them, checked.
struct Vocabulary: Sendable {
  /// The text of each token, as in the file.
  var texts = TokenStrings()
  /// The kind of each token.
  var kinds: [TokenKind]
  /// The score of each token; 0 for all if the file has no scores.
  let scores: [Float]
  /// The token before a text, if the file names one.
  let beginOfText: Int32?
  /// The token after a text.
  let endOfText: Int32?
  /// The token after a turn of a conversation.
  let endOfTurn: Int32?
  /// The token for text that no other token covers.
  let unknown: Int32?
  /// The tokens that end a generation.
  let endOfGeneration: Set<Int32>

  /// The number of tokens.
  var count: Int { kinds.count }

  /// Reads and checks the `tokenizer.ggml` keys.
  ///
  /// - Parameter defaults: The ids that this kind of tokenizer uses if the file does not name them.
  init(_ metadata: GGUFMetadata, defaults: (begin: Int32, end: Int32, unknown: Int32)? = nil) throws(TokenizerError) {
    guard let texts = metadata.byteStrings("tokenizer.ggml.tokens") else {
      throw .missing(key: "tokenizer.ggml.tokens", expected: "an array of strings")
    }
    guard (1...Int(Int32.max)).contains(texts.count) else { throw .badSize(texts.count) }
    self.texts.reserveCapacity(strings: texts.count, bytes: texts.byteCount)
    for text in texts { self.texts.append(text) }
    kinds = try Self.kinds(metadata, tokens: texts.count)
    scores = try Self.scores(metadata, tokens: texts.count)

    // Only tokens that may be among the texts searched for below, because a table of the whole vocabulary takes time.
    let strings = self.texts
    let byText = TokenTable(strings) { id in strings[id].first.map(SpecialText.firstBytes.contains) ?? false }
    func id(_ key: String, default: Int32? = nil) throws(TokenizerError) -> Int32? {
      guard let id = metadata.integer("tokenizer.ggml.\(key)") else {
        return `default`.flatMap { Int($0) < texts.count ? $0 : nil }
      }
      // Some converters write -1, as a signed or unsigned number, for "none".
      if id == -1 || id == Int(UInt32.max) { return nil }
      guard (0..<texts.count).contains(id) else { throw .idOutOfRange(key: "tokenizer.ggml.\(key)", id: id, tokens: texts.count) }
      return Int32(id)
    }
    beginOfText = try id("bos_token_id", default: defaults?.begin)
    endOfText = try id("eos_token_id", default: defaults?.end)
    unknown = try id("unknown_token_id", default: defaults?.unknown)
    let named = try id("eot_token_id")
    let turn = named ?? SpecialText.endOfTurn.lazy.compactMap { byText.id(of: $0.utf8) }.first
    endOfTurn = turn
    endOfGeneration = Self.endOfGeneration(byText, kinds, [endOfText, turn, try id("eom_token_id")])
    for id in endOfGeneration where kinds[Int(id)] != .userDefined { kinds[Int(id)] = .control }
  }

  private static func kinds(_ metadata: GGUFMetadata, tokens: Int) throws(TokenizerError) -> [TokenKind] {
    let key = "tokenizer.ggml.token_type"
    guard metadata[key] != nil else { return [TokenKind](repeating: .normal, count: tokens) }
    guard let numbers = metadata.integers(key) else { throw .missing(key: key, expected: "an array of integers") }
    guard numbers.count == tokens else { throw .lengthMismatch(key: key, count: numbers.count, tokens: tokens) }
    return numbers.map { TokenKind(rawValue: $0) ?? .undefined }
  }

  private static func scores(_ metadata: GGUFMetadata, tokens: Int) throws(TokenizerError) -> [Float] {
    let key = "tokenizer.ggml.scores"
    guard metadata[key] != nil else { return [Float](repeating: 0, count: tokens) }
    guard let scores = metadata.floats(key) ?? metadata.integers(key)?.map({ Float($0) }) else {
      throw .missing(key: key, expected: "an array of numbers")
    }
    guard scores.count == tokens else { throw .lengthMismatch(key: key, count: scores.count, tokens: tokens) }
    return scores
  }

  private static func endOfGeneration(_ byText: TokenTable, _ kinds: [TokenKind], _ named: [Int32?]) -> Set<Int32> {
    var result = Set(named.compactMap { $0 })
    result.formUnion(SpecialText.endOfGeneration.compactMap { byText.id(of: $0.utf8) })
    // In some vocabularies these are pieces of HTML; they end a generation only as control tokens.
    result.formUnion(
      SpecialText.endOfGenerationIfControl.compactMap { byText.id(of: $0.utf8) }.filter { kinds[Int($0)] == .control })
    // In Harmony and in Solar Open, `<|end|>` ends a message in a channel, not the answer.
    func has(_ text: String) -> Bool { byText.id(of: text.utf8) != nil }
    if has("<|return|>") && has("<|call|>") || has("<|flush|>") && has("<|calls|>"), let end = byText.id(of: "<|end|>".utf8) {
      result.remove(end)
    }
    return result
  }
}

/// The texts of special tokens, for files that do not name these tokens by key.
enum SpecialText {
  /// The bytes that these texts begin with.
  static let firstBytes = Array("<[_".utf8)
  /// Texts that end a turn; the first one in the vocabulary is used.
  static let endOfTurn = [
    "<|eot_id|>", "<|im_end|>", "<end_of_turn>", "<turn|>", "[EOT]", "<EOT>", "_<EOT>", "<|end|>", "<end_of_utterance>",
    "<｜end▁of▁sentence｜>", "<|end_of_text|>", "<|endoftext|>",
  ]
  /// Texts of tokens that end a generation.
  static let endOfGeneration = [
    "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<end_of_turn>", "<|endoftext|>",
    "<|end_of_text|>", "<|flush|>", "<|calls|>", "<turn|>", "<|tool_response>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]",
    "<end_of_utterance>", "<｜end▁of▁sentence｜>", "[e~[",
  ]
  /// The same, but only if the vocabulary has them as control tokens.
  static let endOfGenerationIfControl = ["</s>", "<eos>", "<|user|>", "<|observation|>"]
}
