// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import TestSupport
import Testing

@testable import Tokenization

/// Files made by other programs, beside the checkout; absent in a user's clone.
enum Oracles {
  static let folder = SharedOracles.folder(holding: "vocab")?.path

  static let absent: Comment = "the folder ../shared/oracles is absent (set GGUFPACK_SHARED to the folder that holds oracles/)"
}

/// A tokenizer test of llama.cpp: a vocabulary, texts, and the ids of each text.
struct VocabularyOracle {
  let tokenizer: Tokenizer
  let cases: [(text: String, ids: [Int32])]

  init(_ name: String, folder: String? = nil) throws {
    let path = try #require(folder ?? Oracles.folder.map { $0 + "/vocab" }) + "/ggml-vocab-\(name).gguf"
    tokenizer = try Tokenizer(metadata: GGUFModel.open(path).metadata)
    let texts = try String(contentsOfFile: path + ".inp", encoding: .utf8).components(separatedBy: "\n__ggml_vocab_test__\n")
    let lines = try String(contentsOfFile: path + ".out", encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
    cases = zip(texts, lines).map { ($0, $1.split(separator: " ").compactMap { Int32($0) }) }
    // The last text and the last line are what follows the last separator.
    try #require(texts.count == lines.count && cases.count > 40)
  }
}
