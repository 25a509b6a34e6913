// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Where the pages of a range are, as the kernel says.
package struct PageCensus: Hashable, Sendable {
  /// Pages of 4 KiB on each node.
  package var pages: [Int: Int] = [:]
  /// Pages of 4 KiB that are not in memory, or not in this process's page tables.
  package var absent = 0
  /// Bytes mapped by pages of 2 MiB and of 1 GiB.
  package var hugeByteCount = 0
  package var giganticByteCount = 0
  /// Whether `move_pages` was refused and the counts are those of /proc/self/numa_maps.
  package var isFromMaps = false

  /// Pages on nodes other than `node`.
  package func pages(notOn node: Int) -> Int { pages.reduce(0) { $0 + ($1.key == node ? 0 : $1.value) } }

  private static let pageByteCount = 4096
  private static let batch = 1 << 16

  /// Counts the pages of a range, whose ends are multiples of 4 KiB.
  ///
  /// - Complexity: O(pages); of a range that is mapped entirely by huge pages, the kernel is asked about one page in 512.
  package static func take(_ range: AddressRange, kernel: Kernel) -> PageCensus {
    var census = PageCensus()
    guard range.count > 0 else { return census }
    let map = MemoryMap.read(range)
    census.hugeByteCount = map.hugeByteCount
    census.giganticByteCount = map.giganticByteCount
    let isHuge = map.hugeByteCount + map.giganticByteCount >= range.count
    let step = isHuge ? MappedBlob.hugePage : pageByteCount
    for start in stride(from: 0, to: range.count, by: step * batch) {
      guard let nodes = kernel.nodes(of: range[start..<min(start + step * batch, range.count)], step: step) else {
        census.pages = map.pages
        census.absent = max(0, range.count / pageByteCount - map.pages.values.reduce(0, +))
        census.isFromMaps = true
        return census
      }
      for node in nodes {
        if node >= 0 { census.pages[Int(node), default: 0] += step / pageByteCount } else { census.absent += step / pageByteCount }
      }
    }
    return census
  }
}
