// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The names that a part of a template sets, within the scope of the surrounding part.
final class Scope {
  let parent: Scope?
  /// The names with their values. A name without a value hides the same name in outer scopes.
  private var entries: [(symbol: Symbol, value: Value?)] = []

  init(parent: Scope?) { self.parent = parent }

  subscript(symbol: Symbol) -> Value?? {
    for entry in entries where entry.symbol == symbol { return .some(entry.value) }
    return nil
  }

  func set(_ symbol: Symbol, to value: Value?) {
    for index in entries.indices where entries[index].symbol == symbol {
      entries[index].value = value
      return
    }
    entries.append((symbol, value))
  }

  /// Releases all values. This breaks the cycle between a macro and the scope in which it is defined.
  func clear() { entries = [] }
}

/// The state of a loop that its body can ask for.
final class LoopState {
  let items: [Value]
  let depth: Int
  /// What to run for `loop(items)`; nil if the loop is not recursive.
  let recursion: (loop: Statement.Loop, scope: Scope)?
  var index = 0
  var lastChanged: [Value]?

  init(_ items: [Value], depth: Int, recursion: (loop: Statement.Loop, scope: Scope)?) {
    self.items = items
    self.depth = depth
    self.recursion = recursion
  }

  static let methods: Set<String> = ["cycle", "changed"]

  func attribute(_ name: String) -> Value? {
    switch name {
    case "index": .integer(Int128(index + 1))
    case "index0": .integer(Int128(index))
    case "revindex": .integer(Int128(items.count - index))
    case "revindex0": .integer(Int128(items.count - index - 1))
    case "first": .bool(index == 0)
    case "last": .bool(index == items.count - 1)
    case "length": .integer(Int128(items.count))
    case "depth": .integer(Int128(depth + 1))
    case "depth0": .integer(Int128(depth))
    case "previtem": index > 0 ? items[index - 1] : .undefined(Undefined("there is no previous item"))
    case "nextitem": index + 1 < items.count ? items[index + 1] : .undefined(Undefined("there is no next item"))
    default: nil
    }
  }
}
