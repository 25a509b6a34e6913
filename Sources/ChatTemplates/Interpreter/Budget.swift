// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// What is left of the limits of a rendering.
struct Budget {
  private let limits: JinjaLimits
  private var steps: Int
  private var characters: Int
  private(set) var depth = 0

  init(_ limits: JinjaLimits) {
    self.limits = limits
    steps = limits.steps
    characters = limits.characters
  }

  /// Counts steps, such as evaluating an expression, or making or visiting an element.
  mutating func take(steps count: Int) throws(Fault) {
    guard count <= steps else { throw Fault(.limit, "the template takes more than \(limits.steps) steps") }
    steps -= count
  }

  /// Counts the characters of a string that is about to be made.
  mutating func take(characters count: Int) throws(Fault) {
    guard count <= characters else {
      throw Fault(.limit, "the template makes strings of more than \(limits.characters) characters together")
    }
    characters -= count
  }

  mutating func enter() throws(Fault) {
    guard depth < limits.callDepth else { throw Fault(.limit, "the template enters more than \(limits.callDepth) levels") }
    depth += 1
  }

  mutating func leave() { depth -= 1 }

  func check(depth: Int) throws(Fault) {
    guard depth <= limits.valueDepth else {
      throw Fault(.limit, "lists and dictionaries are nested more than \(limits.valueDepth) levels deep")
    }
  }
}
