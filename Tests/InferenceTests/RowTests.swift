// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Inference

@Suite("Rows of floats")
struct RowTests {
  /// Calls `body` with a row of 4 in the middle of 6 floats.
  private static func withRow(_ body: (Row) -> Void) {
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: 6)
    memory.initialize(repeating: 0, count: 6)
    defer { memory.deallocate() }
    body(Row(memory + 1, count: 4))
    precondition(memory[0] == 0 && memory[5] == 0)
  }

  @Test("A part of a row shares its memory")
  func parts() {
    Self.withRow { row in
      for index in 0..<4 { row[index] = Float(index) }
      #expect(row[1..<3].count == 2 && row[1..<3][0] == 1 && row[2...][1] == 3 && row[..<1].count == 1)
      row[2...].copy(row[..<2])
      #expect((0..<4).map { row[$0] } == [0, 1, 0, 1])
    }
  }

  #if DEBUG
    @Test("The debug build traps on an element before the row")
    func trapBefore() async { await #expect(processExitsWith: .failure) { Self.withRow { $0[-1] = 1 } } }

    @Test("The debug build traps on an element after the row")
    func trapAfter() async { await #expect(processExitsWith: .failure) { Self.withRow { $0[4] = 1 } } }

    @Test("The debug build traps on a part that is longer than the row")
    func trapOnLongPart() async { await #expect(processExitsWith: .failure) { Self.withRow { _ = $0[2..<5] } } }
  #endif
}
