// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The number of attention heads in one layer, and their lengths in the cache.
struct Heads: Sendable, Equatable {
  var queryCount: Int
  /// The number of heads of keys and values.
  var keyValueCount: Int
  var keyLength: Int
  var valueLength: Int
  /// Whether the cache keeps only keys, in single precision, because a value is the beginning of its key.
  var areLatent = false
  /// Whether positions are copied out of the cache, which is not possible if it is quantised.
  var areChosen = false

  /// The number of query heads that share one head of keys and values.
  var groupSize: Int { queryCount / keyValueCount }

  /// Bytes of an element in the cache, unless the cache is quantised.
  var elementByteCount: Int { areLatent ? 4 : 2 }

  /// The number of F16 elements that one position takes in the cache; an element in single precision counts as two.
  var numbersPerPosition: Int { keyValueCount * (areLatent ? 2 * keyLength : keyLength + valueLength) }

  /// Whether keys and values may be kept in 8 bits: they must consist of whole blocks of 32, and not be kept in single precision.
  var allowsQuantisedCache: Bool { !areLatent && !areChosen && keyLength % 32 == 0 && valueLength % 32 == 0 }
}

/// The query heads of one team, and the heads of keys and values that it keeps for them.
///
/// Heads of keys and values are divided among the teams. If there are fewer of them than teams, the query heads are divided
/// instead, and each team keeps the keys and values that its queries read.
struct TeamHeads: Equatable {
  let queries: Range<Int>
  let keys: Range<Int>
  let groupSize: Int

  @inline(__always)
  init(_ heads: Heads, team: Int, teamCount: Int) {
    groupSize = heads.groupSize
    if heads.keyValueCount >= teamCount {
      keys = heads.keyValueCount * team / teamCount..<heads.keyValueCount * (team + 1) / teamCount
      queries = keys.lowerBound * groupSize..<keys.upperBound * groupSize
    } else {
      queries = heads.queryCount * team / teamCount..<heads.queryCount * (team + 1) / teamCount
      let first = queries.lowerBound / groupSize
      keys = first..<(queries.isEmpty ? first : (queries.upperBound + groupSize - 1) / groupSize)
    }
  }

  /// Returns the team's query heads that read head `key` of keys and values.
  @inline(__always)
  func queries(of key: Int) -> Range<Int> {
    let low = max(queries.lowerBound, key * groupSize)
    return low..<max(low, min(queries.upperBound, (key + 1) * groupSize))
  }
}

/// Which of the positions before it a token sees.
struct Window: Sendable, Equatable {
  /// The number of positions, the token's own included; 0: all.
  var length = 0
  /// Whether a token sees its own chunk of `length` positions, from the chunk's beginning, instead of the last `length`.
  var isChunk = false

  /// Returns the first position that the token at `position` sees.
  @inline(__always)
  func first(for position: Int32) -> Int32 {
    if length == 0 { return 0 }
    return isChunk ? position - position % Int32(length) : max(0, position - Int32(length) + 1)
  }
}
