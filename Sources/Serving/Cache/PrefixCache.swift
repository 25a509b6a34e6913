// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference

/// Prefixes of prompts that one model has computed, kept in memory in addition to its sequences.
struct PrefixCache {
  /// The tokens and the copy of a sequence that was in a slot or in a file.
  struct Prefix {
    let tokens: [Int32]
    let copy: SequenceCopy
    fileprivate(set) var lastUse = 0

    init(tokens: [Int32], copy: SequenceCopy) { (self.tokens, self.copy) = (tokens, copy) }

    /// Returns how many tokens of a prompt need not be computed again.
    func usable(for prompt: [Int32]) -> Int { copy.restart(known: tokens.countInCommon(with: prompt)) }
  }

  private(set) var prefixes: [Prefix] = []
  /// Bytes of all prefixes.
  private(set) var byteCount = 0
  /// The largest number of bytes of all prefixes.
  let limit: Int
  private var uses = 0

  init(limit: Int) { self.limit = limit }

  /// Returns the prefix that saves the most tokens of a prompt, and how many; nil if none saves any.
  mutating func best(for prompt: [Int32]) -> (prefix: Prefix, usable: Int)? {
    var best = (index: -1, usable: 0)
    for (index, prefix) in prefixes.enumerated() {
      let usable = prefix.usable(for: prompt)
      if usable > best.usable { best = (index, usable) }
    }
    guard best.index >= 0 else { return nil }
    uses += 1
    prefixes[best.index].lastUse = uses
    return (prefixes[best.index], best.usable)
  }

  /// Whether the cache has a sequence, or one that continues it.
  func covers(_ tokens: [Int32]) -> Bool {
    prefixes.contains { prefix in
      prefix.tokens.starts(with: tokens) && (prefix.copy.hasAllPositions || prefix.tokens.count == tokens.count)
    }
  }

  /// Keeps a prefix; the least recently used ones make room for it.
  mutating func insert(_ prefix: Prefix) {
    let (tokens, copy) = (prefix.tokens, prefix.copy)
    guard copy.byteCount <= limit, !covers(tokens) else { return }
    if copy.hasAllPositions { remove { tokens.starts(with: $0.tokens) } }
    while byteCount + copy.byteCount > limit, let oldest = prefixes.map(\.lastUse).min() { remove { $0.lastUse == oldest } }
    uses += 1
    prefixes.append(prefix)
    prefixes[prefixes.count - 1].lastUse = uses
    byteCount += copy.byteCount
  }

  private mutating func remove(where isGone: (Prefix) -> Bool) {
    prefixes.removeAll(where: isGone)
    byteCount = prefixes.reduce(0) { $0 + $1.copy.byteCount }
  }
}
