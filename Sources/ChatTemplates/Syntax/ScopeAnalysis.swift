// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Which names belong to which scope of a template from the start.
///
/// Jinja2 decides when it compiles a template: a name that a scope always sets, and does not read before, is that scope's own even
/// before it is set, so that loops and macros inside do not see a variable of that name. A name that a scope around it knows is
/// that scope's.
struct ScopeAnalysis {
  private struct Scope {
    let parent: ScopeNumber?
    /// The names that occur in the scope itself.
    var names: Set<Symbol> = []
    /// Those of them that it sets first, and always.
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

  /// For each scope the names to hide from its start.
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
