// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A vocabulary as a tree of bytes, so that tokens with the same beginning are looked at together.
public struct TokenTrie: Sendable {
  /// The nodes in the order of a walk that visits each before its children; the root is not among them.
  let bytes: [UInt8]
  /// How deep each node is; 0 for the children of the root.
  let depths: [UInt16]
  /// Where the walk goes on if a node's subtree is left out.
  let subtreeEnds: [Int32]
  /// The tokens of node `n` are `tokens[tokenStarts[n]..<tokenStarts[n + 1]]`.
  let tokenStarts: [Int32]
  let tokens: [Int32]
  /// How many tokens the vocabulary has.
  public let vocabularySize: Int
  let greatestDepth: Int
  let vocabulary: [[UInt8]]

  /// - Parameter vocabulary: the bytes of each token by id; empty for tokens that may never be chosen, such as control tokens.
  ///   A token has at most 65 535 bytes; a longer one is never chosen.
  /// - Complexity: O(*n* log *n*) in the bytes of all tokens.
  public init(vocabulary: [[UInt8]]) {
    self.vocabulary = vocabulary
    vocabularySize = vocabulary.count
    let order = vocabulary.indices.filter { !vocabulary[$0].isEmpty && vocabulary[$0].count < Int(UInt16.max) }
      .sorted { vocabulary[$0].lexicographicallyPrecedes(vocabulary[$1]) }
    var bytes: [UInt8] = []
    var depths: [UInt16] = []
    var ends: [Int32] = []
    var starts: [Int32] = []
    var tokens: [Int32] = []
    // The nodes of the last token, by depth.
    var path: [Int] = []
    var last: [UInt8] = []
    for token in order {
      let text = vocabulary[token]
      var common = 0
      while common < min(text.count, last.count), text[common] == last[common] { common += 1 }
      for node in path[common...] { ends[node] = Int32(bytes.count) }
      path.removeLast(path.count - common)
      for depth in common..<text.count {
        path.append(bytes.count)
        bytes.append(text[depth])
        depths.append(UInt16(depth))
        ends.append(0)
        starts.append(Int32(tokens.count))
      }
      // Tokens with the same bytes follow each other, so the last node is still the newest.
      tokens.append(Int32(token))
      last = text
    }
    for node in path { ends[node] = Int32(bytes.count) }
    starts.append(Int32(tokens.count))
    self.bytes = bytes
    self.depths = depths
    subtreeEnds = ends
    tokenStarts = starts
    self.tokens = tokens
    greatestDepth = Int(depths.max() ?? 0) + 1
  }
}

/// Which tokens may come next: a bit for each.
public struct TokenMask: Sendable, Equatable {
  /// 64 tokens in each word, the first in the lowest bit.
  public private(set) var words: [UInt64]

  init(vocabularySize: Int) { words = [UInt64](repeating: 0, count: (vocabularySize + 63) / 64) }

  /// Whether a token may come next.
  public subscript(token: Int) -> Bool { words[token >> 6] >> UInt64(token & 63) & 1 == 1 }

  /// How many tokens may come next.
  public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

  mutating func insert(_ token: Int32) { words[Int(token) >> 6] |= 1 << UInt64(token & 63) }

  mutating func formUnion(_ other: TokenMask) {
    for index in words.indices { words[index] |= other.words[index] }
  }
}
