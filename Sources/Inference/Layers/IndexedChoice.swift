// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// The choice of keys by an indexer's scores, for the tokens that see more than they may attend to.
///
/// A key's score for a token is the sum, over the indexer's heads, of weight · max(0, query · key).
struct IndexedChoice {
  let thread: PassThread
  /// Keys that are chosen.
  let count: Int
  /// Elements of a query of one head, and of a key.
  let length: Int
  /// [token][head][length]
  let queries: Rows
  /// [token][head]
  let weights: Rows
  let keys: Indexer.Keys
  /// Scores of small steps, which all threads of the team compute together [token][key].
  let shared: Rows
  /// This thread's, in larger ones.
  let own: Row
  /// Room for `BestPositions`.
  let counts: UnsafeMutablePointer<Int32>

  /// Chooses for the step's tokens. In small steps, all threads of the team share the work of each token's scores.
  ///
  /// - Parameters:
  ///   - sees: The keys that a token would attend to without an indexer.
  ///   - chosen: Where those go that a token attends to, ascending.
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

  /// Groups of 16 keys.
  private func groupCount(_ keys: Int) -> Int { (keys + 15) / 16 }

  /// Scores of some groups of 16 keys.
  private func score(_ token: Int, _ groups: Range<Int>, into scores: Row) {
    guard !groups.isEmpty else { return }
    let start = keys.of(thread.step.sequence(of: token)) + groups.lowerBound * 16 * length
    thread.kernels.index(
      queries[token], weights: weights[token], length: length, keys: start,
      into: scores[groups.lowerBound * 16..<groups.upperBound * 16])
  }
}
