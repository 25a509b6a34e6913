// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The number format of keys and values in the cache.
public enum CacheType: String, Sendable, CaseIterable {
  /// Half precision.
  case f16
  /// 8 bits per element and a scale for every 32: 53 % of the bytes of F16, with a small error.
  case q8_0
}

/// One layer's keys and values on one team, for each sequence and each head that the team keeps.
///
/// Keys are stored as `ck_attention` reads them, with 16 positions interleaved; values are stored row by row. The cache can be cut
/// back to any position. Keys and values that stand for blocks of positions follow all others.
struct KeyValueCache {
  let heads: TeamHeads
  let isQuantised: Bool
  let isSingle: Bool
  /// The number of positions in a block that has its own key and value; 0: there are no blocks.
  private let blockRatio: Int
  /// The index of the first block's key and value; those of positions come before it.
  let firstBlock: Int
  /// The length of one key and one value, in elements.
  let keyLength: Int
  let valueLength: Int
  private let keys: UnsafeMutablePointer<UInt8>
  private let values: UnsafeMutablePointer<UInt8>
  /// Bytes of one key and of one value.
  private let keyByteCount: Int
  private let valueByteCount: Int
  /// Bytes from one head's keys to the next head's, and the same for values.
  private let keyHeadStride: Int
  private let valueHeadStride: Int

  @inline(__always)
  init(_ arena: inout Arena, _ heads: Heads, _ sizes: StateSizes, blockRatio: Int = 0, team: Int, teamCount: Int) {
    (self.blockRatio, firstBlock) = (blockRatio, sizes.positions)
    let places = sizes.positions + (blockRatio == 0 ? 0 : ((sizes.positions + blockRatio - 1) / blockRatio + 15) / 16 * 16)
    self.heads = TeamHeads(heads, team: team, teamCount: teamCount)
    isQuantised = sizes.cacheType == .q8_0 && heads.allowsQuantisedCache
    isSingle = heads.areSingle
    (keyLength, valueLength) = (heads.keyLength, heads.valueLength)
    keyByteCount = isQuantised ? keyLength / 32 * 34 : keyLength * heads.elementByteCount
    valueByteCount = isQuantised ? valueLength / 32 * 34 : valueLength * heads.elementByteCount
    keyHeadStride = places * keyByteCount
    valueHeadStride = (places * valueByteCount + 63) / 64 * 64
    let count = sizes.sequences * self.heads.keys.count
    keys = arena.take(count * keyHeadStride, of: UInt8.self)
    values = arena.take(count * valueHeadStride, of: UInt8.self)
  }

  /// Returns the address of all keys of one head.
  @inline(__always)
  func keys(sequence: Int, head: Int) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(keys + (sequence * heads.keys.count + head - heads.keys.lowerBound) * keyHeadStride)
  }

  @inline(__always)
  func values(sequence: Int, head: Int, position: Int = 0) -> UnsafeMutableRawPointer {
    let start = values + (sequence * heads.keys.count + head - heads.keys.lowerBound) * valueHeadStride
    return UnsafeMutableRawPointer(start + position * valueByteCount)
  }

  /// The keys and the values of each head, as pieces of state.
  var pieces: [StatePiece] {
    // 16 positions are stored together.
    let group = 16 * keyByteCount
    let (keyStride, valueStride) = (heads.keys.count * keyHeadStride, heads.keys.count * valueHeadStride)
    return heads.keys.flatMap { head in
      let (keys, values) = (keys(sequence: 0, head: head), values(sequence: 0, head: head))
      let positions = [
        StatePiece(start: keys, sequenceStride: keyStride, extent: .positions(unit: 16, byteCount: group)),
        StatePiece(start: values, sequenceStride: valueStride, extent: .positions(unit: 1, byteCount: valueByteCount)),
      ]
      guard blockRatio > 0 else { return positions }
      return positions + [
        StatePiece(
          start: keys + firstBlock / 16 * group, sequenceStride: keyStride,
          extent: .positions(unit: 16 * blockRatio, byteCount: group)),
        StatePiece(
          start: values + firstBlock * valueByteCount, sequenceStride: valueStride,
          extent: .positions(unit: blockRatio, byteCount: valueByteCount)),
      ]
    }
  }

  /// Stores the key of one position.
  @inline(__always)
  func store(_ kernels: Kernels, key: Row, sequence: Int, head: Int, position: Int) {
    assert(key.count == keyLength)
    let keys = keys(sequence: sequence, head: head)
    if isSingle {
      kernels.storeKey(key, position: position, at: keys.assumingMemoryBound(to: Float.self))
    } else {
      kernels.storeKey(key, position: position, isQuantised: isQuantised, at: keys)
    }
  }

  /// Stores the value of one position.
  @inline(__always)
  func store(_ kernels: Kernels, value: Row, sequence: Int, head: Int, position: Int) {
    assert(value.count == valueLength)
    let target = values(sequence: sequence, head: head, position: position)
    if isSingle {
      Row(target.assumingMemoryBound(to: Float.self), count: value.count).copy(value)
    } else {
      kernels.storeValue(value, isQuantised: isQuantised, at: target)
    }
  }
}
