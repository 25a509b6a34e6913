// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels

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

/// How keys and values are kept.
public enum CacheType: String, Sendable, CaseIterable {
  /// Half precision.
  case f16
  /// 8 bits each with a scale for 32: 53 % of the bytes, with a small error.
  case q8_0
}

/// One layer's keys and values on one team, for each sequence and head of the team's share.
///
/// Keys lie as `ck_attention` reads them, 16 positions interleaved; values row by row. MLA's compressed vectors are kept in two
/// halves, an F16 and what it leaves out as another: all heads' keys and values are made of them, so that their rounding would be
/// an error common to all heads.
struct LayerCache {
  var share: HeadShare
  var isQuantised: Bool
  var keys: UnsafeMutablePointer<UInt8>
  var values: UnsafeMutablePointer<UInt8>
  /// Bytes of one position's value.
  var valueByteCount: Int
  /// Bytes from one head's keys to the next one's, and from one sequence's to the next one's.
  var keyHeadStride: Int
  var valueHeadStride: Int
  var keySequenceStride: Int
  var valueSequenceStride: Int

  /// - Parameter positions: A multiple of 16.
  init(
    _ arena: inout Arena, _ shape: LayerConfiguration, type: CacheType, team: Int, teamCount: Int, positions: Int, sequences: Int
  ) {
    share = HeadShare(shape, team: team, teamCount: teamCount)
    isQuantised = type == .q8_0 && shape.allowsQuantisedCache
    let heads = share.keyEnd - share.keyBegin
    let (keyLength, valueLength) = (shape.keyLength * shape.cacheParts, shape.valueLength * shape.cacheParts)
    valueByteCount = isQuantised ? valueLength / 32 * 34 : valueLength * 2
    keyHeadStride = positions * (isQuantised ? keyLength / 32 * 34 : keyLength * 2)
    valueHeadStride = (positions * valueByteCount + 63) / 64 * 64
    keySequenceStride = heads * keyHeadStride
    valueSequenceStride = heads * valueHeadStride
    keys = arena.take(sequences * keySequenceStride, of: UInt8.self)
    values = arena.take(sequences * valueSequenceStride, of: UInt8.self)
  }

  @inline(__always)
  func keys(sequence: Int, head: Int) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(keys + sequence * keySequenceStride + (head - share.keyBegin) * keyHeadStride)
  }

  @inline(__always)
  func values(sequence: Int, head: Int, position: Int = 0) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(
      values + sequence * valueSequenceStride + (head - share.keyBegin) * valueHeadStride + position * valueByteCount)
  }

  /// Keeps one position's key.
  @inline(__always)
  func store(
    _ kernels: UnsafePointer<ck_table>, key: UnsafePointer<Float>, keyLength: Int, sequence: Int, head: Int, position: Int
  ) {
    let target = keys(sequence: sequence, head: head)
    if isQuantised {
      kernels.pointee.store_key_q8(key, Int64(keyLength), Int64(position), target.assumingMemoryBound(to: UInt8.self))
    } else {
      kernels.pointee.store_key(key, Int64(keyLength), Int64(position), target.assumingMemoryBound(to: UInt16.self))
    }
  }

  /// Keeps one position's value.
  @inline(__always)
  func store(
    _ kernels: UnsafePointer<ck_table>, value: UnsafePointer<Float>, valueLength: Int, sequence: Int, head: Int, position: Int
  ) {
    let target = values(sequence: sequence, head: head, position: position)
    if isQuantised {
      kernels.pointee.store_value_q8(value, Int64(valueLength), target.assumingMemoryBound(to: UInt8.self))
    } else {
      kernels.pointee.to_f16(value, Int64(valueLength), target.assumingMemoryBound(to: UInt16.self))
    }
  }
}
