// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Follows a text through a grammar, and computes which tokens may come next.
///
/// Which tokens may come next depends mostly on the top of the stack, and hardly on what is below it. Therefore a mask is computed
/// once for each top of a few elements, together with the nodes of the vocabulary's tree at which a token would use up this top.
/// Only from those nodes on does the rest of the stack matter. The masks of whole stacks are cached, too, because within a string
/// the stack is the same for many tokens.
public final class GrammarMatcher {
  private let trie: TokenTrie
  private var automaton: Automaton
  private var stacks: [Automaton.Node]

  /// What is known of the top of a stack, whatever is below it: the tokens that stay within it, and the tree nodes at which it is
  /// used up.
  private struct TopMask {
    var mask: TokenMask
    var exits: [Int32] = []
  }

  /// The number of elements in a top. A repetition may end after each byte, so a single element would say little.
  private static let topDepth = 4
  private static let keptTopMasks = 2048
  private var topMasks: [[Int32]: TopMask] = [:]
  private var stackMasks: [Automaton.Node: TokenMask] = [:]
  private static let keptStackMasks = 256

  /// Sets of stacks by number, and the number of the set after each byte: -1 is not known yet, 0 is the empty set.
  private var sets: [[Automaton.Node]] = [[]]
  private var setNumbers: [[Automaton.Node]: Int32] = [[]: 0]
  private var transitions: [Int32] = [Int32](repeating: 0, count: 256)
  private static let keptSets = 4096

  /// Makes a matcher at the beginning of a text.
  public init(_ grammar: Grammar, trie: TokenTrie) {
    self.trie = trie
    automaton = Automaton(grammar)
    stacks = automaton.start()
  }

  /// Returns to the beginning of a text; cached masks are kept.
  public func reset() {
    automaton.beginStep()
    stacks = automaton.start()
  }

  /// Whether the text so far is complete, so that the answer may end here.
  public var isComplete: Bool { stacks.first == Automaton.bottom && !automaton.isOverloaded }

  /// Whether only the end may come next.
  public var mustEnd: Bool { stacks == [Automaton.bottom] && !automaton.isOverloaded }

  /// Adds a byte; returns false, without a change, if the grammar does not allow it.
  public func accept(byte: UInt8) -> Bool {
    automaton.beginStep()
    let next = automaton.advance(stacks, byte)
    guard !next.isEmpty else { return false }
    stacks = next
    return true
  }

  /// Adds a token; returns false, without a change, if the grammar does not allow it.
  public func accept(token: Int) -> Bool {
    let bytes = trie.vocabulary[token]
    guard !bytes.isEmpty else { return false }
    automaton.beginStep()
    var next = stacks
    for byte in bytes {
      next = automaton.advance(next, byte)
      if next.isEmpty { return false }
    }
    stacks = next
    return true
  }

  /// Whether a token may come next, determined by following its bytes.
  public func allows(token: Int) -> Bool {
    automaton.beginStep()
    var next = stacks
    for byte in trie.vocabulary[token] where !next.isEmpty { next = automaton.advance(next, byte) }
    return !next.isEmpty && !trie.vocabulary[token].isEmpty
  }

  /// Whether the grammar can be read in so many ways that it is not followed further. No token may come next then.
  public var isOverloaded: Bool { automaton.isOverloaded }

  /// Returns the tokens that may come next. The end of the answer is not among them; see `isComplete`.
  public func allowedTokens() -> TokenMask {
    automaton.beginStep()
    let mask = self.mask()
    return automaton.isOverloaded ? TokenMask(vocabularySize: trie.vocabularySize) : mask
  }

  private func mask() -> TokenMask {
    let nodes = stacks.filter { $0 != Automaton.bottom }
    guard let first = nodes.first else { return TokenMask(vocabularySize: trie.vocabularySize) }
    var mask = self.mask(of: first)
    for node in nodes.dropFirst() where !automaton.isOverloaded { mask.formUnion(self.mask(of: node)) }
    return mask
  }

  // MARK: Masks

  private func mask(of node: Automaton.Node) -> TokenMask {
    if let mask = stackMasks[node] { return mask }
    makeRoomForSets()
    // The top of the stack: the next element, and those that its rules return to.
    var top = [automaton.elements[Int(node)]]
    var below = automaton.parents[Int(node)]
    while top.count < Self.topDepth, below > Automaton.unknown {
      top.append(automaton.elements[Int(below)])
      below = automaton.parents[Int(below)]
    }
    let known = topMask(top, isWhole: below == Automaton.bottom)
    var mask = known.mask
    if !known.exits.isEmpty {
      let set = number(of: automaton.resume(below))
      for exit in known.exits { walk(below: Int(exit), from: set, into: &mask) }
    }
    if stackMasks.count >= Self.keptStackMasks { stackMasks = [:] }
    stackMasks[node] = mask
    return mask
  }

  private func topMask(_ top: [Int32], isWhole: Bool) -> TopMask {
    let key = top + [isWhole ? Automaton.bottom : Automaton.unknown]
    if let known = topMasks[key] { return known }
    var known = TopMask(mask: TokenMask(vocabularySize: trie.vocabularySize))
    var node = isWhole ? Automaton.bottom : Automaton.unknown
    for element in top.reversed() { node = automaton.node(Int(element), node) }
    walk(0..<trie.bytes.count, depth: 0, from: number(of: [node]), into: &known.mask, exits: &known.exits)
    if topMasks.count >= Self.keptTopMasks { topMasks = [:] }
    topMasks[key] = known
    return known
  }

  /// Walks the tree below a node.
  private func walk(below node: Int, from set: Int32, into mask: inout TokenMask) {
    var exits: [Int32] = []
    walk(node + 1..<Int(trie.subtreeEnds[node]), depth: Int(trie.depths[node]) + 1, from: set, into: &mask, exits: &exits)
  }

  /// Walks some nodes of the tree, of which the first is at `depth`, and adds the tokens that the grammar allows to `mask`.
  private func walk(_ nodes: Range<Int>, depth: Int, from start: Int32, into mask: inout TokenMask, exits: inout [Int32]) {
    var path = [Int32](repeating: 0, count: trie.greatestDepth + 1)
    path[0] = start
    var node = nodes.lowerBound
    while node < nodes.upperBound, !automaton.isOverloaded {
      let level = Int(trie.depths[node]) - depth
      let set = next(path[level], trie.bytes[node])
      guard set != 0 else {
        node = Int(trie.subtreeEnds[node])
        continue
      }
      path[level + 1] = set
      for index in trie.tokenStarts[node]..<trie.tokenStarts[node + 1] { mask.insert(trie.tokens[Int(index)]) }
      if sets[Int(set)].first == Automaton.unknown { exits.append(Int32(node)) }
      node += 1
    }
  }

  /// Returns the number of the set after a byte.
  private func next(_ set: Int32, _ byte: UInt8) -> Int32 {
    let place = Int(set) << 8 | Int(byte)
    if transitions[place] >= 0 { return transitions[place] }
    let number = number(of: automaton.advance(sets[Int(set)], byte))
    transitions[place] = number
    return number
  }

  private func number(of stacks: [Automaton.Node]) -> Int32 {
    if let number = setNumbers[stacks] { return number }
    let number = Int32(sets.count)
    sets.append(stacks)
    setNumbers[stacks] = number
    transitions += [Int32](repeating: -1, count: 256)
    return number
  }

  /// Forgets all sets when there are many. Their numbers are used only while a mask is computed, so this must happen before that.
  private func makeRoomForSets() {
    guard sets.count > Self.keptSets else { return }
    sets = [[]]
    setNumbers = [[]: 0]
    transitions = [Int32](repeating: 0, count: 256)
  }
}
