// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import Testing

@testable import PackRuntime

@Suite("What /proc says of memory")
struct MemoryMapTests {
  @Test("Only mappings within the range are summed up, for each kind of large page")
  func sizes() {
    var map = MemoryMap()
    map.readSizes(
      """
      10000000-10400000 r--s 00000000 fe:00 12 /pack/node0.blob
      KernelPageSize:        4 kB
      FilePmdMapped:      2048 kB
      VmFlags: rd sh
      10400000-10800000 rw-p 00000000 00:00 0
      KernelPageSize:        4 kB
      AnonHugePages:      4096 kB
      40000000-80000000 r--s 00000000 00:0e 12 /dev/hugepages/x
      KernelPageSize:  1048576 kB
      Shared_Hugetlb: 1048576 kB
      90000000-90200000 r--p 00000000 00:00 0
      KernelPageSize:        4 kB
      AnonHugePages:      2048 kB
      """, 0x1000_0000..<0x9000_0000)
    #expect(map.hugeByteCount == 6 << 20)
    #expect(map.giganticByteCount == 1 << 30)
  }

  @Test("Pages of every size are counted by node, in pages of 4 KiB")
  func nodes() {
    var map = MemoryMap()
    map.readNodes(
      """
      10000000 bind=static:0 file=/pack/node0.blob mapped=12 N0=10 N1=2 kernelpagesize_kB=4
      10400000 bind=static:1 huge anon=3 dirty=3 N1=3 kernelpagesize_kB=2048
      90000000 default anon=1 N0=1 kernelpagesize_kB=4
      """, 0x1000_0000..<0x9000_0000)
    #expect(map.pages == [0: 10, 1: 2 + 3 * 512])
  }

  @Test("A census counts every page of a range once, in the part that contains it")
  func census() throws {
    let (pages, page) = (600, 4096)
    let memory = mmap(nil, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    let base = try #require(memory == MAP_FAILED ? nil : memory)
    defer { munmap(base, pages * page) }
    // MADV_NOHUGEPAGE, so that pages that are not touched are not present.
    #expect(madvise(base, pages * page, 15) == 0)
    for index in Array(0..<100) + [450] { base.storeBytes(of: 1, toByteOffset: index * page, as: UInt8.self) }
    let census = PageCensus.take(AddressRange(start: base, count: pages * page), kernel: Kernel())
    #expect(census.pages.values.reduce(0, +) == 101 && census.absent == pages - 101)
    guard !census.isFromMaps else { return }
    #expect(census.parts.count == 240)
    for (index, part) in census.parts.enumerated() {
      // Two or three pages each.
      let range = (0..<pages).filter { $0 * 240 / pages == index }
      let present = range.count { $0 < 100 || $0 == 450 }
      #expect(part.pages.values.reduce(0, +) == present && part.absentPages == range.count - present, "\(index)")
    }
  }
}
