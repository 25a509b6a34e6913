// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The contents of /proc/self/smaps and /proc/self/numa_maps for a range of addresses.
package struct MemoryMap {
  /// The pages of 4 KiB on each node, from numa_maps.
  package var pages: [Int: Int] = [:]
  /// The bytes in pages of 2 MiB, from smaps.
  package var hugeByteCount = 0
  /// The bytes in pages of 1 GiB, from smaps.
  package var giganticByteCount = 0

  /// An empty map.
  package init() {}

  /// Sums up the mappings that begin within the range.
  package static func read(_ range: AddressRange, root: String = "") -> MemoryMap {
    let addresses = range.start..<range.end
    var map = MemoryMap()
    map.readSizes(TextFile.read(root + "/proc/self/smaps") ?? "", addresses)
    map.readNodes(TextFile.read(root + "/proc/self/numa_maps") ?? "", addresses)
    return map
  }

  /// Adds the huge-page sizes in `text`, the content of smaps, for mappings that begin in `addresses`.
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

  /// Adds the pages by node in `text`, the content of numa_maps, for mappings that begin in `addresses`.
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
