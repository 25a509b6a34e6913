// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// An Aho-Corasick automaton: it reads a text byte by byte and recognises when a mark is complete.
struct MarkSearch {
  struct State {
    var children: [UInt8: Int] = [:]
    /// The state of the longest proper suffix that is the beginning of a mark.
    var suffix = 0
    /// The mark that is complete in this state; of several, the longest.
    var mark: Int?
  }

  private(set) var states = [State()]

  /// - Parameter forms: The bytes of each form of a mark, and the number of the mark; a mark may have several forms.
  init(_ forms: [(bytes: [UInt8], mark: Int)]) {
    for (bytes, mark) in forms {
      var state = 0
      for byte in bytes {
        if let child = states[state].children[byte] {
          state = child
        } else {
          states[state].children[byte] = states.count
          state = states.count
          states.append(State())
        }
      }
      if states[state].mark == nil { states[state].mark = mark }
    }
    var queue = [0]
    var index = 0
    while index < queue.count {
      let state = queue[index]
      index += 1
      for (byte, child) in states[state].children {
        queue.append(child)
        if state > 0 { states[child].suffix = target(of: states[state].suffix, byte) }
        if states[child].mark == nil { states[child].mark = states[states[child].suffix].mark }
      }
    }
  }

  /// Returns the state after one more byte.
  func target(of state: Int, _ byte: UInt8) -> Int {
    var state = state
    while true {
      if let child = states[state].children[byte] { return child }
      if state == 0 { return 0 }
      state = states[state].suffix
    }
  }

  /// Whether a byte begins or continues a mark.
  func leads(from state: Int, _ byte: UInt8) -> Bool { target(of: state, byte) != 0 }
}
