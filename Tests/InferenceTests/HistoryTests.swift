// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Inference

@Suite("How far back a layer's state can go")
struct HistoryTests {
  @Test("Keys and values can be cut back to any position", arguments: [0, 3, 7, 8, 100])
  func positions(position: Int) {
    #expect(History.positions.restart(at: position, length: 8) == min(position, 8))
  }

  @Test("A recurrent state can go back to its last copy before a position")
  func copies() {
    #expect(History.state.restart(at: 7, length: 8, copies: [4, 2, 6, 8]) == 6)
    #expect(History.state.restart(at: 6, length: 8, copies: [4, 2, 6, 8]) == 6)
    #expect(History.state.restart(at: 1, length: 8, copies: [4, 2, 6, 8]) == 0)
    #expect(History.state.restart(at: 9, length: 8, copies: [4, 2, 6, 8]) == 8)
  }

  @Test("A state without copies that every token changes goes back to the start, or stays where it is")
  func state() {
    #expect(History.state.restart(at: 3, length: 8) == 0)
    #expect(History.state.restart(at: 8, length: 8) == 8)
    #expect(History.state.restart(at: 100, length: 8) == 8)
  }
}
