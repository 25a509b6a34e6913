// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Finds which names belong to which scope of a template from its beginning.
///
/// Jinja2 decides this when it compiles a template. A name that a scope always sets, and does not read before, belongs to that
/// scope even before it is set, so loops and macros inside do not see a variable of that name. But if a surrounding scope contains
/// the name, it belongs to the surrounding scope.
struct ScopeAnalysis {
  private struct Scope {
    let parent: ScopeNumber?
    /// The names that occur in the scope itself.
    var names: Set<Symbol> = []
    /// The names that the scope always sets, before it reads them.
    var ownNames: [Symbol] = []
    var conditionDepth = 0
  }

  private var scopes = [Scope(parent: nil)]
  private var current: ScopeNumber = 0

  mutating func enter() -> ScopeNumber {
    scopes.append(Scope(parent: current))
    current = scopes.count - 1
    return current
  }

  mutating func leave() { current = scopes[current].parent ?? 0 }

  mutating func enterCondition() { scopes[current].conditionDepth += 1 }
  mutating func leaveCondition() { scopes[current].conditionDepth -= 1 }

  mutating func note(read symbol: Symbol) { scopes[current].names.insert(symbol) }

  mutating func note(set symbol: Symbol) {
    guard scopes[current].names.insert(symbol).inserted, scopes[current].conditionDepth == 0 else { return }
    scopes[current].ownNames.append(symbol)
  }

  /// For each scope, the names to hide from its beginning.
  var hiddenNames: [[Symbol]] {
    scopes.map { scope in
      scope.ownNames.filter { name in
        var around = scope.parent
        while let number = around {
          if scopes[number].names.contains(name) { return false }
          around = scopes[number].parent
        }
        return true
      }
    }
  }
}
