// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A vocabulary as a tree of bytes, so that tokens with the same beginning are examined together.
public struct TokenTrie: Sendable {
  /// The byte of each node, in the order of a walk that visits a node before its children. The root is left out.
  let bytes: [UInt8]
  /// The depth of each node; 0 for the children of the root.
  let depths: [UInt16]
  /// The index at which the walk continues if the subtree of a node is skipped.
  let subtreeEnds: [Int32]
  /// The index of each node's first token: the tokens of node `n` are `tokens[tokenStarts[n]..<tokenStarts[n + 1]]`.
  let tokenStarts: [Int32]
  let tokens: [Int32]
  /// The number of tokens in the vocabulary.
  public let vocabularySize: Int
  let greatestDepth: Int
  let vocabulary: [[UInt8]]

  /// Builds the tree.
  ///
  /// - Parameter vocabulary: The bytes of each token by id; empty for tokens that can never be chosen. The same holds for tokens of
  ///   more than 65 534 bytes.
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
      // Tokens with the same bytes follow each other, so the newest node is still their last one.
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

/// A set of tokens that may come next: one bit for each token.
public struct TokenMask: Sendable, Equatable {
  /// 64 tokens in each word, the first in the lowest bit.
  public private(set) var words: [UInt64]

  init(vocabularySize: Int) { words = [UInt64](repeating: 0, count: (vocabularySize + 63) / 64) }

  /// Whether a token may come next.
  public subscript(token: Int) -> Bool { words[token >> 6] >> UInt64(token & 63) & 1 == 1 }

  /// The number of tokens that may come next.
  public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

  mutating func insert(_ token: Int32) { words[Int(token) >> 6] |= 1 << UInt64(token & 63) }

  mutating func formUnion(_ other: TokenMask) {
    for index in words.indices { words[index] |= other.words[index] }
  }
}
