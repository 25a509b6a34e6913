// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import Testing

@testable import PackRuntime

@Suite("Pages of a mapped file that are lost", .timeLimit(.minutes(5)))
struct FileGuardTests {
  /// Maps a file of 16 KiB in a reservation of its own, has it cut to 4 KiB, and reads the missing part on two threads.
  static func readLostPage(guarded: Bool) throws {
    var path = Array("/tmp/lost-page-XXXXXX".utf8CString)
    let file = mkstemp(&path)
    let name = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { unlink(name) }
    guard file >= 0, ftruncate(file, 16384) == 0 else { throw RuntimeError.system(operation: "make a file", reason: "\(errno)") }
    let reservation = try AddressReservation(byteCount: 16384, alignment: 4096)
    guard Kernel().map(reservation.range, protection: PROT_READ, flags: MAP_SHARED, file: file) == 0 else { return }
    let other = FileGuard(AddressRange(start: reservation.base + 1 << 30, count: 4096), path: "/another")
    let guardian = guarded ? FileGuard(reservation.range, path: name) : nil
    reportLostPages(prefix: "program: ")
    unlink(name)
    guard ftruncate(file, 4096) == 0, let address = reservation.range.pointer else { return }
    let teams = try Teams(
      plan: TeamPlan(teams: [.init(node: 0, cpus: [Topology.currentAffinity()[0], Topology.currentAffinity()[0]])]))
    let start = UInt(bitPattern: address)
    teams.run { _ in
      // A use of the byte keeps an optimised build from removing the load.
      if UnsafeRawPointer(bitPattern: start + 8200)?.load(as: UInt8.self) == 1 { exit(99) }
    }
    _ = consume guardian
    _ = consume other
  }

  @Test("One line names the file and the byte, and the exit code is 1")
  func guarded() async throws {
    let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
      try FileGuardTests.readLostPage(guarded: true)
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.hasPrefix("program: /tmp/lost-page-"))
    #expect(text.hasSuffix(": byte 8200 is not available: the disk failed, or a filesystem in memory is full\n"))
    #expect(text.split(separator: "\n").count == 1)
  }

  @Test("A signal elsewhere ends the process as it would without the guard")
  func elsewhere() async {
    await #expect(processExitsWith: .signal(SIGBUS)) {
      setenv("SWIFT_BACKTRACE", "enable=no", 1)
      signal(SIGBUS, SIG_DFL)
      try FileGuardTests.readLostPage(guarded: false)
    }
  }
}
