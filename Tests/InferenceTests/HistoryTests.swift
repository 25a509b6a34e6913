// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Inference

@Suite("How far back a layer's state can go")
struct HistoryTests {
  @Test("Keys and values can be cut back to any position", arguments: [0, 3, 7, 8, 100])
  func positions(position: Int) {
    #expect(History.positions.restart(at: position, length: 8) == min(position, 8))
  }

  @Test("A state that every token changes goes back to the start, or stays where it is")
  func state() {
    #expect(History.state.restart(at: 3, length: 8) == 0)
    #expect(History.state.restart(at: 8, length: 8) == 8)
    #expect(History.state.restart(at: 100, length: 8) == 8)
  }
}
