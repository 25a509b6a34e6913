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
/// Keys are stored as `ck_attention` reads them, with 16 positions interleaved; values are stored row by row, unless they are the
/// beginnings of keys. The cache can be cut back to any position. Keys and values that stand for blocks of positions follow all others.
struct KeyValueCache {
  /// What is stored of a position; see `ck_attention`.
  enum Form {
    /// A key and a value in half precision.
    case halves
    /// A key and a value in blocks of Q8_0.
    case quants
    /// A key in single precision, whose beginning is the value.
    case latents
  }

  let heads: TeamHeads
  let form: Form
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
    precondition(blockRatio == 0 || !heads.areLatent, "latents do not stand for blocks")
    (keyLength, valueLength) = (heads.keyLength, heads.valueLength)
    if heads.areLatent {
      (form, keyByteCount, valueByteCount) = (.latents, keyLength * heads.elementByteCount, 0)
    } else if sizes.cacheType == .q8_0, heads.allowsQuantisedCache {
      (form, keyByteCount, valueByteCount) = (.quants, keyLength / 32 * 34, valueLength / 32 * 34)
    } else {
      let size = heads.elementByteCount
      (form, keyByteCount, valueByteCount) = (.halves, keyLength * size, valueLength * size)
    }
    keyHeadStride = places * keyByteCount
    valueHeadStride = (places * valueByteCount + 63) / 64 * 64
    let count = sizes.sequences * self.heads.keys.count
    keys = arena.take(count * keyHeadStride, of: UInt8.self)
    values = form == .latents ? keys : arena.take(count * valueHeadStride, of: UInt8.self)
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
    return heads.keys.flatMap { head -> [StatePiece] in
      let (keys, values) = (keys(sequence: 0, head: head), values(sequence: 0, head: head))
      let positionKeys = StatePiece(start: keys, sequenceStride: keyStride, extent: .positions(unit: 16, byteCount: group))
      if form == .latents { return [positionKeys] }
      let positions = [
        positionKeys,
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
    kernels.store(key: key, position: position, form, at: keys)
  }

  /// Stores the value of one position. A latent cache has none.
  @inline(__always)
  func store(_ kernels: Kernels, value: Row, sequence: Int, head: Int, position: Int) {
    assert(value.count == valueLength)
    kernels.store(value: value, form, at: values(sequence: sequence, head: head, position: position))
  }
}
