// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// Assigns places to the slices of one blob.
///
/// A slice of at least one alignment unit begins at a multiple of the unit, and smaller slices fill the gaps between such slices. If that
/// would make the pack grow too much, slices begin at smaller powers of two instead, which cost at most a 64th of each slice.
struct OffsetAllocator {
  /// A slice that needs a place.
  struct Request {
    /// The bytes from the start of the first expert's rows to the end of the last one's.
    let extent: Int
    let isStacked: Bool
  }

  /// The limit on growth for alignment, as a divisor: a 64th, which leaves room below 2 % for everything else.
  static let growthDivisor = 64
  /// The alignment of the smallest slices: a cache line.
  static let smallestAlignment = 64
  /// The alignment of each expert of a stacked tensor: a page, so that it can be bound, moved or pinned alone.
  static let pageByteCount = 4096
  /// The number of gaps that are remembered. Only the latest ones are, so that tensors used one after another stay close together.
  private static let gapLimit = 32

  let alignment: Int

  /// Returns the offsets of `requests` in order and the end of the last one; nil on overflow.
  func places(of requests: [Request]) -> (offsets: [Int], end: Int)? {
    let total = requests.reduce(0) { sum, request in sum?.adding(request.extent + Self.pageByteCount) }
    guard let total, total < Int.max / 4 else { return nil }
    let used = requests.reduce(0) { $0 + $1.extent }
    let strict = fill(requests)
    if strict.end - used <= used / Self.growthDivisor { return strict }
    return loose(requests)
  }

  /// Places large slices on whole units, one after another, and small ones in the first gap that holds them.
  private func fill(_ requests: [Request]) -> (offsets: [Int], end: Int) {
    var gaps: [Range<Int>] = []
    var offsets: [Int] = []
    var end = 0
    for request in requests {
      let isLarge = request.extent >= alignment
      let unit = max(isLarge ? alignment : Self.smallestAlignment, request.isStacked ? Self.pageByteCount : 0)
      if !isLarge,
        let index = gaps.firstIndex(where: { $0.upperBound - $0.lowerBound.roundedUp(toMultipleOf: unit) >= request.extent })
      {
        let start = gaps[index].lowerBound.roundedUp(toMultipleOf: unit)
        let gap = gaps[index]
        gaps[index] = start + request.extent..<gap.upperBound
        if start > gap.lowerBound { gaps.insert(gap.lowerBound..<start, at: index) }
        offsets.append(start)
      } else {
        let start = end.roundedUp(toMultipleOf: unit)
        if start > end { gaps.append(end..<start) }
        offsets.append(start)
        end = start + request.extent
      }
      gaps.removeAll { $0.count < Self.smallestAlignment }
      if gaps.count > Self.gapLimit { gaps.removeFirst() }
    }
    return (offsets, end)
  }

  /// Places each slice at a multiple of the largest power of two that is at most a 64th of its size.
  private func loose(_ requests: [Request]) -> (offsets: [Int], end: Int) {
    var offsets: [Int] = []
    var end = 0
    for request in requests {
      var unit = Self.smallestAlignment
      while unit < alignment, unit * 2 * Self.growthDivisor <= request.extent { unit *= 2 }
      if request.isStacked { unit = max(unit, Self.pageByteCount) }
      let start = end.roundedUp(toMultipleOf: unit)
      offsets.append(start)
      end = start + request.extent
    }
    return (offsets, end)
  }
}
