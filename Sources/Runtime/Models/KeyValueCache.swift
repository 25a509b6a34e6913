/// Which heads a team attends with, and which heads of keys and values it keeps for them.
///
/// Heads of keys and values are divided over the teams. Where there are fewer of them than teams, the query heads are divided,
/// and each team keeps the keys and values that its queries read.
struct HeadShare: Equatable {
  var queryBegin: Int
  var queryEnd: Int
  var keyBegin: Int
  var keyEnd: Int

  init(_ shape: LayerConfiguration, team: Int, teamCount: Int) {
    let (heads, shared, group) = (shape.headCount, shape.keyValueHeadCount, shape.groupSize)
    if shared >= teamCount {
      keyBegin = shared * team / teamCount
      keyEnd = shared * (team + 1) / teamCount
      queryBegin = keyBegin * group
      queryEnd = keyEnd * group
    } else {
      queryBegin = heads * team / teamCount
      queryEnd = heads * (team + 1) / teamCount
      keyBegin = queryBegin / group
      keyEnd = queryBegin == queryEnd ? keyBegin : (queryEnd + group - 1) / group
    }
  }

  /// The team's query heads that read head `key`.
  @inline(__always)
  func queries(of key: Int, group: Int) -> Range<Int> {
    max(queryBegin, key * group)..<max(queryBegin, min(queryEnd, (key + 1) * group))
  }
}

/// One layer's keys and values on one team: F16, for each sequence and head of the team's share.
///
/// Keys lie as `ck_attention` reads them, 16 positions interleaved; values row by row. MLA's compressed vectors are kept in two
/// halves, an F16 and what it leaves out as another: all heads' keys and values are made of them, so that their rounding would be
/// an error common to all heads.
struct LayerCache {
  var share: HeadShare
  var keys: UnsafeMutablePointer<UInt16>
  var values: UnsafeMutablePointer<UInt16>
  /// Elements from one head's keys to the next one's, and from one sequence's to the next one's.
  var keyHeadStride: Int
  var valueHeadStride: Int
  var keySequenceStride: Int
  var valueSequenceStride: Int

  init(
    _ arena: inout Arena, _ shape: LayerConfiguration, team: Int, teamCount: Int, positions: Int, sequences: Int
  ) {
    share = HeadShare(shape, team: team, teamCount: teamCount)
    let heads = share.keyEnd - share.keyBegin
    keyHeadStride = positions * shape.keyLength * shape.cacheParts
    valueHeadStride = positions * shape.valueLength * shape.cacheParts
    keySequenceStride = heads * keyHeadStride
    valueSequenceStride = heads * valueHeadStride
    keys = arena.take(sequences * keySequenceStride, of: UInt16.self)
    values = arena.take(sequences * valueSequenceStride, of: UInt16.self)
  }

  @inline(__always)
  func keys(sequence: Int, head: Int) -> UnsafeMutablePointer<UInt16> {
    keys + sequence * keySequenceStride + (head - share.keyBegin) * keyHeadStride
  }

  @inline(__always)
  func values(sequence: Int, head: Int) -> UnsafeMutablePointer<UInt16> {
    values + sequence * valueSequenceStride + (head - share.keyBegin) * valueHeadStride
  }
}
