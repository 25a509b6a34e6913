// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Finds special tokens in a text: control tokens such as `<end_of_turn>`, and those that the vocabulary's makers defined.
///
/// The text is searched from left to right, and at each place the longest token is taken, in time linear in the text whatever the
/// tokens are. An Aho-Corasick automaton of the reversed tokens reads the text from its end. At each position, the longest token
/// that the automaton has just completed is the longest token that begins there.
struct SpecialTokens: Sendable {
  /// The largest number of nodes in the automaton: far more than any real vocabulary needs.
  static let nodeLimit = 1 << 22

  private let strings: TokenStrings
  private let userDefined: [Bool]
  /// For each node except the root: its parent, shifted left by eight bits, and the byte on the edge from it.
  private var edges: [UInt64] = [0]
  /// For each node: the node of the longest proper suffix of its string that has one.
  private var suffixes: [UInt32] = [0]
  /// For each node: the longest token that its string, read backwards, begins with, or -1.
  private var tokens: [Int32] = [-1]
  /// The same, but only for user-defined tokens.
  private var userDefinedTokens: [Int32] = [-1]
  /// A hash table of nodes by their edge; 0 is an empty slot.
  private var slots: [UInt32] = [UInt32](repeating: 0, count: 16)
  /// The root's children by byte; 0 if there is none.
  private var first = [UInt32](repeating: 0, count: 256)
  private let key = HashKey.ofProcess

  /// Builds the automaton.
  ///
  /// - Throws: `TokenizerError.specialTokensTooLong` if it would have more than `nodeLimit` nodes.
  init(_ strings: TokenStrings, _ kinds: [TokenKind]) throws(TokenizerError) {
    self.strings = strings
    userDefined = kinds.map { $0 == .userDefined }
    var depths: [UInt32] = [0]
    for id in kinds.indices where Self.isSpecial(kinds[id]) { try insert(id, &depths) }
    link(depths)
  }

  private typealias Match = (index: Int, token: Int32)

  /// A part of a divided text.
  enum Part: Equatable {
    case text(Range<Int>)
    case token(Int32)
  }

  /// Divides `text` into special tokens and the text between them.
  ///
  /// - Parameter parsingControl: Whether control tokens are found; user-defined ones always are.
  /// - Complexity: O(n) for n bytes.
  func split(_ text: Span<UInt8>, parsingControl: Bool, _ body: (Part) -> Void) {
    split(text, matches(text, parsingControl), body)
  }

  /// Divides `text`, some of which is not trusted, into special tokens and the text between them.
  ///
  /// - Parameters:
  ///   - trusted: Ascending ranges of `text`. A control token must lie within one of them.
  ///   - marks: User-defined tokens that must also lie within a trusted range; all others are found everywhere.
  /// - Complexity: O(n) for n bytes.
  func split(_ text: Span<UInt8>, trusted: [Range<Int>], marks: Set<Int32>, _ body: (Part) -> Void) {
    // Both lists are in the order from the end of the text to its beginning. If both have a token at one place, the longer one is
    // used.
    var everywhere = matches(text, false).filter { !marks.contains($0.token) }[...]
    var merged: [Match] = []
    for range in trusted.reversed() {
      for match in matches(text.extracting(range), true) {
        let index = match.index + range.lowerBound
        while let other = everywhere.first, other.index > index { merged.append(everywhere.removeFirst()) }
        if let other = everywhere.first, other.index == index {
          everywhere.removeFirst()
          if length(other.token) > length(match.token) {
            merged.append(other)
            continue
          }
        }
        merged.append((index, match.token))
      }
    }
    split(text, merged + everywhere, body)
  }

  private func split(_ text: Span<UInt8>, _ matches: [Match], _ body: (Part) -> Void) {
    var begin = 0
    for (index, token) in matches.reversed() where index >= begin {
      if begin < index { body(.text(begin..<index)) }
      body(.token(token))
      begin = index + length(token)
    }
    if begin < text.count { body(.text(begin..<text.count)) }
  }

  private func length(_ token: Int32) -> Int { strings.range(Int(token)).count }

  /// Whether `text` is a special token.
  func contains(_ text: String) -> Bool {
    var node: UInt32 = 0
    for byte in text.utf8.reversed() {
      guard let next = child(node, byte) else { return false }
      node = next
    }
    let token = tokens[Int(node)]
    return token >= 0 && strings.range(Int(token)).count == text.utf8.count
  }

  /// Returns the places at which tokens begin, from the end of the text on, with the longest token of each.
  private func matches(_ text: Span<UInt8>, _ parsingControl: Bool) -> [Match] {
    var matches: [Match] = []
    guard edges.count > 1 else { return matches }
    let outputs = parsingControl ? tokens : userDefinedTokens
    var node: UInt32 = 0
    for index in text.indices.reversed() {
      node = step(from: node, text[index])
      let token = outputs[Int(node)]
      if token >= 0 { matches.append((index, token)) }
    }
    return matches
  }

  /// Returns the node after one more byte.
  private func step(from node: UInt32, _ byte: UInt8) -> UInt32 {
    var node = node
    while node != 0 {
      if let next = child(node, byte) { return next }
      node = suffixes[Int(node)]
    }
    return first[Int(byte)]
  }

  private func child(_ node: UInt32, _ byte: UInt8) -> UInt32? {
    let found = node == 0 ? first[Int(byte)] : slots[slot(of: UInt64(node) << 8 | UInt64(byte))]
    return found == 0 ? nil : found
  }

  /// Returns the slot of an edge, or the empty slot for it.
  private func slot(of edge: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: key.hash(edge)) & (slots.count - 1)
    while slots[slot] != 0, edges[Int(slots[slot])] != edge { slot = (slot + 1) & (slots.count - 1) }
    return slot
  }

  private mutating func insert(_ id: Int, _ depths: inout [UInt32]) throws(TokenizerError) {
    var node: UInt32 = 0
    for byte in strings[id].reversed() {
      if let next = child(node, byte) {
        node = next
        continue
      }
      guard edges.count < Self.nodeLimit else { throw .specialTokensTooLong(limit: Self.nodeLimit) }
      let next = UInt32(edges.count)
      edges.append(UInt64(node) << 8 | UInt64(byte))
      tokens.append(-1)
      depths.append(depths[Int(node)] + 1)
      if node == 0 { first[Int(byte)] = next } else { addSlot(next) }
      node = next
    }
    // Of equal tokens, the lowest id is kept.
    if node != 0, tokens[Int(node)] < 0 { tokens[Int(node)] = Int32(id) }
  }

  private mutating func addSlot(_ node: UInt32) {
    if edges.count * 3 > slots.count * 2 {
      slots = [UInt32](repeating: 0, count: slots.count * 2)
      for old in 1..<edges.count - 1 where edges[old] >> 8 != 0 { slots[slot(of: edges[old])] = UInt32(old) }
    }
    slots[slot(of: edges[Int(node)])] = node
  }

  /// Sets the suffix and the tokens of all nodes, in the order of their depths.
  private mutating func link(_ depths: [UInt32]) {
    suffixes = [UInt32](repeating: 0, count: edges.count)
    userDefinedTokens = tokens.map { $0 >= 0 && userDefined[Int($0)] ? $0 : -1 }
    for node in Self.sorted(depths).dropFirst() {
      let (parent, byte) = (UInt32(edges[node] >> 8), UInt8(truncatingIfNeeded: edges[node]))
      let suffix = parent == 0 ? 0 : step(from: suffixes[Int(parent)], byte)
      suffixes[node] = suffix
      if tokens[node] < 0 { tokens[node] = tokens[Int(suffix)] }
      if userDefinedTokens[node] < 0 { userDefinedTokens[node] = userDefinedTokens[Int(suffix)] }
    }
  }

  /// Returns the indices of `depths` by ascending depth, with a counting sort.
  private static func sorted(_ depths: [UInt32]) -> [Int] {
    var starts = [Int](repeating: 0, count: Int(depths.max() ?? 0) + 2)
    for depth in depths { starts[Int(depth) + 1] += 1 }
    for depth in starts.indices.dropFirst() { starts[depth] += starts[depth - 1] }
    var order = [Int](repeating: 0, count: depths.count)
    for (node, depth) in depths.enumerated() {
      order[starts[Int(depth)]] = node
      starts[Int(depth)] += 1
    }
    return order
  }

  private static func isSpecial(_ kind: TokenKind) -> Bool { kind == .control || kind == .userDefined || kind == .unknown }
}
