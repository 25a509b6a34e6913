// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// A choice of keys by an indexer's scores, for tokens that see more keys than they may attend to.
///
/// A key's score for a token is the sum, over the indexer's heads, of weight · max(0, query · key).
struct IndexedChoice {
  let thread: PassThread
  /// The number of keys to choose.
  let count: Int
  /// The length of a key, and of one head's query, in elements.
  let length: Int
  /// [token][head][length]
  let queries: Rows
  /// [token][head]
  let weights: Rows
  let keys: Indexer.Keys
  /// The scores of small steps, which all threads of the team compute together, [token][key].
  let shared: Rows
  /// The scores of this thread's token in larger steps.
  let own: Row
  /// Room for `BestPositions`.
  let counts: UnsafeMutablePointer<Int32>

  /// Chooses keys for the step's tokens. In small steps, all threads of the team share the scoring of each token.
  ///
  /// - Parameters:
  ///   - sees: Returns how many keys a token would attend to without an indexer.
  ///   - chosen: Returns where the chosen keys of a token go, ascending.
  @inline(__always)
  func run(sees: (_ token: Int) -> Int, into chosen: (_ token: Int) -> UnsafeMutablePointer<Int32>) {
    let (tokens, best) = (thread.step.count, BestPositions(count: count, counts: counts))
    guard thread.keepsResidual else {
      for token in thread.part(of: tokens) where sees(token) > count {
        score(token, 0..<groupCount(sees(token)), into: own)
        best.choose(own[..<sees(token)], into: chosen(token))
      }
      return
    }
    for token in 0..<tokens where sees(token) > count {
      score(token, thread.part(of: groupCount(sees(token))), into: shared[token])
    }
    thread.worker.teamBarrier()
    for token in thread.part(of: tokens) where sees(token) > count {
      best.choose(shared[token][..<sees(token)], into: chosen(token))
    }
  }

  /// Returns the number of groups of 16 keys, rounded up.
  private func groupCount(_ keys: Int) -> Int { (keys + 15) / 16 }

  /// Computes the scores of some groups of 16 keys.
  private func score(_ token: Int, _ groups: Range<Int>, into scores: Row) {
    guard !groups.isEmpty else { return }
    let start = keys.of(thread.step.sequence(of: token)) + groups.lowerBound * 16 * length
    thread.kernels.index(
      queries[token], weights: weights[token], length: length, keys: start,
      into: scores[groups.lowerBound * 16..<groups.upperBound * 16])
  }
}
