// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

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
  /// - Complexity: O(pages); of a range that is mapped by huge pages throughout, one page in 512 is asked for.
  package static func take(_ range: UnsafeRawBufferPointer, kernel: Kernel) -> PageCensus {
    var census = PageCensus()
    guard let base = UnsafeMutableRawPointer(mutating: range.baseAddress), range.count > 0 else { return census }
    let map = MemoryMap.read(range)
    census.hugeByteCount = map.hugeByteCount
    census.giganticByteCount = map.giganticByteCount
    let isHuge = map.hugeByteCount + map.giganticByteCount >= range.count
    let step = isHuge ? MappedBlob.hugePage : pageByteCount
    for start in stride(from: 0, to: range.count, by: step * batch) {
      let pages: [UnsafeMutableRawPointer?] = stride(from: start, to: min(start + step * batch, range.count), by: step).map {
        base + $0
      }
      var status = [CInt](repeating: 0, count: pages.count)
      guard kernel.nodes(of: pages, into: &status) == 0 else {
        census.pages = map.pages
        census.absent = max(0, range.count / pageByteCount - map.pages.values.reduce(0, +))
        census.isFromMaps = true
        return census
      }
      for node in status {
        if node >= 0 { census.pages[Int(node), default: 0] += step / pageByteCount } else { census.absent += step / pageByteCount }
      }
    }
    return census
  }
}

/// What /proc/self/smaps and /proc/self/numa_maps say of a range of addresses.
package struct MemoryMap {
  /// Pages of 4 KiB by node, of numa_maps.
  package var pages: [Int: Int] = [:]
  package var hugeByteCount = 0
  package var giganticByteCount = 0

  /// Sums up the mappings that begin within the range.
  package static func read(_ range: UnsafeRawBufferPointer, root: String = "") -> MemoryMap {
    let start = UInt(bitPattern: range.baseAddress)
    let addresses = start..<start + UInt(range.count)
    var map = MemoryMap()
    map.readSizes(TextFile.read(root + "/proc/self/smaps") ?? "", addresses)
    map.readNodes(TextFile.read(root + "/proc/self/numa_maps") ?? "", addresses)
    return map
  }

  package mutating func readSizes(_ text: String, _ addresses: Range<UInt>) {
    var isInside = false
    var kernelPage = 4
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2).map { String(Substring($0)) }
      guard let name = words.first else { continue }
      if !name.hasSuffix(":") {
        let begin = name.split(separator: "-").first.flatMap { UInt($0, radix: 16) }
        isInside = begin.map { addresses.contains($0) } ?? false
        continue
      }
      guard isInside, words.count > 1, let kibibytes = Int(words[1]) else { continue }
      switch name {
      case "KernelPageSize:": kernelPage = kibibytes
      case "AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:": hugeByteCount += kibibytes << 10
      case "Shared_Hugetlb:", "Private_Hugetlb:":
        if kernelPage >= 1 << 20 { giganticByteCount += kibibytes << 10 } else { hugeByteCount += kibibytes << 10 }
      default: break
      }
    }
  }

  package mutating func readNodes(_ text: String, _ addresses: Range<UInt>) {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard let begin = words.first.flatMap({ UInt($0, radix: 16) }), addresses.contains(begin) else { continue }
      var unit = 4
      var counts: [(node: Int, pages: Int)] = []
      for word in words.dropFirst() {
        let sides = word.split(separator: "=")
        guard sides.count == 2, let number = Int(sides[1]) else { continue }
        if sides[0] == "kernelpagesize_kB" { unit = number }
        if sides[0].first == "N", let node = Int(sides[0].dropFirst()) { counts.append((node, number)) }
      }
      for count in counts { pages[count.node, default: 0] += count.pages * (unit / 4) }
    }
  }
}
