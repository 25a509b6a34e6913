// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The pushdown automaton of a grammar. It is in several stacks at once, one for each way to parse the text so far.
///
/// A stack is represented by a node: the next element, and the node to return to. Equal stacks are one node, so what is known of a
/// node holds wherever it occurs.
struct Automaton {
  typealias Node = Int32

  /// The stack that is empty because the text is complete.
  static let bottom: Node = 0
  /// A placeholder for the rest of a stack, used when a mask is computed only for the top.
  static let unknown: Node = 1

  let grammar: Grammar
  private(set) var elements: [Int32] = [-1, -1]
  private(set) var parents: [Node] = [-1, -1]
  private var numbers: [UInt64: Node] = [:]

  /// The elements and stacks that have been looked at since `beginStep`, and the limit: about half a second's work.
  private var work = 0
  private static let greatestWork = 5_000_000
  private static let mostNodes = 4_000_000

  /// Whether the grammar can be read in so many ways that following it would hold up everyone else. It then allows nothing more.
  private(set) var isOverloaded = false

  init(_ grammar: Grammar) { self.grammar = grammar }

  /// Begins to count the work of another token.
  mutating func beginStep() { work = 0 }

  /// Counts some work, and notes if it is too much.
  private mutating func count(_ amount: Int) {
    work += amount
    if work > Self.greatestWork || elements.count > Self.mostNodes { isOverloaded = true }
  }

  mutating func node(_ element: Int, _ parent: Node) -> Node {
    let key = UInt64(element) << 32 | UInt64(UInt32(bitPattern: parent))
    if let node = numbers[key] { return node }
    let node = Node(elements.count)
    elements.append(Int32(element))
    parents.append(parent)
    numbers[key] = node
    return node
  }

  /// Returns the stacks at the beginning of a text.
  mutating func start() -> [Node] {
    var stacks: [Node] = []
    for start in grammar.rules[grammar.root] { expand(start, Self.bottom, &stacks) }
    return Self.sorted(stacks)
  }

  /// Returns the stacks after returning to a node.
  mutating func resume(_ node: Node) -> [Node] {
    if node == Self.bottom || node == Self.unknown { return [node] }
    var stacks: [Node] = []
    expand(Int(elements[Int(node)]), parents[Int(node)], &stacks)
    return Self.sorted(stacks)
  }

  /// Returns the stacks after a byte; none if the grammar does not allow it.
  mutating func advance(_ stacks: [Node], _ byte: UInt8) -> [Node] {
    var next: [Node] = []
    count(stacks.count)
    guard !isOverloaded else { return next }
    for node in stacks where node > Self.unknown {
      let element = Int(elements[Int(node)])
      if case .bytes(let set) = grammar.elements[element], grammar.sets[set].contains(byte) {
        expand(element + 1, parents[Int(node)], &next)
      }
    }
    return next.count < 2 ? next : Self.sorted(next)
  }

  private static func sorted(_ stacks: [Node]) -> [Node] {
    var unique: [Node] = []
    for node in stacks.sorted() where unique.last != node { unique.append(node) }
    return unique
  }

  /// Adds the stacks that an element with the rest of its stack stands for, each with a set of bytes on top.
  private mutating func expand(_ element: Int, _ parent: Node, _ stacks: inout [Node]) {
    if case .bytes = grammar.elements[element] {
      stacks.append(node(element, parent))
      return
    }
    var open = [(element, parent)]
    var seen: Set<UInt64> = []
    while let (element, parent) = open.popLast() {
      count(1)
      guard !isOverloaded else { return }
      guard seen.insert(UInt64(element) << 32 | UInt64(UInt32(bitPattern: parent))).inserted else { continue }
      switch grammar.elements[element] {
      case .bytes: stacks.append(node(element, parent))
      case .end:
        if parent <= Self.unknown {
          stacks.append(parent)
        } else {
          open.append((Int(elements[Int(parent)]), parents[Int(parent)]))
        }
      case .rule(let rule):
        // If nothing follows the rule, return directly to the caller. Then repetition does not make the stack deeper.
        let next = grammar.elements[element + 1] == .end ? parent : node(element + 1, parent)
        for start in grammar.rules[rule] { open.append((start, next)) }
      }
    }
  }
}
