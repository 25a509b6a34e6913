// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// Gives the slices of one blob their places.
///
/// A slice of at least one alignment unit begins at a multiple of the unit, and smaller ones fill the gaps between such slices. Where
/// that would cost more than the pack may grow, slices begin at smaller powers of two instead, which take a 64th of each at most.
struct OffsetAllocator {
  /// A slice that needs a place.
  struct Request {
    /// Bytes from the first expert's rows to the end of the last one's.
    let extent: Int
    let isStacked: Bool
  }

  /// What a pack may grow by for the sake of alignment: a 64th, which leaves room below 2 % for everything else.
  static let growthDivisor = 64
  /// What the smallest slices are aligned to: a cache line.
  static let smallestAlignment = 64
  /// What each expert of a stacked tensor is aligned to: a page, so that it can be bound, moved or pinned alone.
  static let pageByteCount = 4096
  /// Gaps that are remembered: the last ones, so that neighbours in use stay neighbours.
  private static let gapLimit = 32

  let alignment: Int

  /// The offsets of `requests`, in their order, and where the last of them ends; nil on overflow.
  func places(of requests: [Request]) -> (offsets: [Int], end: Int)? {
    let total = requests.reduce(0) { sum, request in sum?.adding(request.extent + Self.pageByteCount) }
    guard let total, total < Int.max / 4 else { return nil }
    let used = requests.reduce(0) { $0 + $1.extent }
    let strict = fill(requests)
    if strict.end - used <= used / Self.growthDivisor { return strict }
    return loose(requests)
  }

  /// Large slices on units, one after another; small ones in the first gap that holds them.
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

  /// Each slice at a multiple of the largest power of two that is no more than a 64th of it.
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
