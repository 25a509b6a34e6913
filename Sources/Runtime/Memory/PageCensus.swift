// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// The nodes of the pages in a part of a blob, in pages of 4 KiB.
public struct PageMapPart: Hashable, Sendable {
  /// The number of pages on each node.
  public var pages: [Int: Int] = [:]
  /// The number of pages that are in no page table of this process.
  public var absentPages = 0

  /// A part with these counts.
  public init(pages: [Int: Int] = [:], absentPages: Int = 0) {
    self.pages = pages
    self.absentPages = absentPages
  }

  mutating func add(_ node: CInt, _ count: Int) {
    if node >= 0 { pages[Int(node), default: 0] += count } else { absentPages += count }
  }
}

/// The nodes of the pages in a range, as the kernel reports them.
package struct PageCensus: Hashable, Sendable {
  /// The pages of 4 KiB on each node.
  package var pages: [Int: Int] = [:]
  /// The pages of 4 KiB that are not in memory, or not in this process's page tables.
  package var absent = 0
  /// The counts for equal parts of the range, front to back, at most 240 parts; empty if the kernel reports only sums.
  package var parts: [PageMapPart] = []
  /// The bytes mapped by pages of 2 MiB.
  package var hugeByteCount = 0
  /// The bytes mapped by pages of 1 GiB.
  package var giganticByteCount = 0
  /// Whether `move_pages` was refused, so that the counts come from /proc/self/numa_maps.
  package var isFromMaps = false

  /// Returns the number of pages on nodes other than `node`.
  package func pages(notOn node: Int) -> Int { pages.reduce(0) { $0 + ($1.key == node ? 0 : $1.value) } }

  private static let pageByteCount = 4096
  private static let batch = 1 << 16
  private static let mostParts = 240

  /// Counts the pages of a range whose ends are multiples of 4 KiB.
  ///
  /// - Complexity: O(pages). For a range that is mapped entirely in huge pages, only one page in 512 is queried.
  package static func take(_ range: AddressRange, kernel: Kernel) -> PageCensus {
    var census = PageCensus()
    guard range.count > 0 else { return census }
    let map = MemoryMap.read(range)
    census.hugeByteCount = map.hugeByteCount
    census.giganticByteCount = map.giganticByteCount
    let isHuge = map.hugeByteCount + map.giganticByteCount >= range.count
    let step = isHuge ? MappedBlob.hugePage : pageByteCount
    let count = range.count.pieceCount(of: step)
    var parts = [PageMapPart](repeating: PageMapPart(), count: min(count, mostParts))
    var index = 0
    for start in stride(from: 0, to: range.count, by: step * batch) {
      guard let nodes = kernel.nodes(of: range[start..<min(start + step * batch, range.count)], step: step) else {
        census.pages = map.pages
        census.absent = max(0, range.count / pageByteCount - map.pages.values.reduce(0, +))
        census.isFromMaps = true
        return census
      }
      for node in nodes {
        parts[index * parts.count / count].add(node, step / pageByteCount)
        index += 1
      }
    }
    for part in parts {
      census.pages.merge(part.pages, uniquingKeysWith: +)
      census.absent += part.absentPages
    }
    census.parts = parts
    return census
  }
}
