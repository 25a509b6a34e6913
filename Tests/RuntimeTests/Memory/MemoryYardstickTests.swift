// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import Testing

@testable import PackRuntime

@Suite("The yardstick of memory", .timeLimit(.minutes(5)))
struct MemoryYardstickTests {
  @Test("Every loop reads all of its memory except the last page, and nothing outside", arguments: 0..<Int(cl_reading_count()))
  func loops(loop: Int) throws {
    let pages = 9
    let reservation = try AddressReservation(byteCount: (pages + 2) * 4096, alignment: 4096)
    let range = reservation.range[4096..<(pages + 1) * 4096]
    // The pages before and after it stay inaccessible.
    try #require(Kernel().map(range, protection: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS) == 0)
    let words = UnsafeMutableBufferPointer(start: range.pointer?.assumingMemoryBound(to: UInt64.self), count: range.count / 8)
    for index in words.indices { words[index] = 1 }
    let sum = cl_reading_run(CInt(loop), range.pointer, range.count)
    // Each lane of a vector adds one for each vector that is read; the first lane is the result.
    let lanes: UInt64 =
      String(cString: cl_reading_name(CInt(loop))).hasPrefix("512")
      ? 8 : String(cString: cl_reading_name(CInt(loop))).hasPrefix("256") ? 4 : 2
    let all = UInt64(words.count) / lanes
    #expect(sum <= all && sum * 9 >= all * 8, "\(sum) of \(all)")
  }

  @Test("Teams read at a nonzero speed, and the loop has a name")
  func measured() throws {
    let yardstick = try MemoryYardstick(MappedPackTests.teams(1))
    #expect(yardstick.gigabytesPerSecond > 0.1 && !yardstick.loop.isEmpty)
  }
}
