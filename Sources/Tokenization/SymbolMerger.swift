// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Joins neighbouring symbols of a text, the best pair first, until no pair makes a token.
///
/// Both tokenizers work this way: SentencePiece-style ones take the pair whose joined token has the highest score, byte-level BPE
/// the pair with the lowest merge rank; among equals the leftmost. The pairs wait in a binary heap, the symbols form a
/// doubly linked list, so a text of n symbols takes O(n log n).
struct SymbolMerger {
  /// A run of the text's bytes that is one token so far.
  struct Symbol {
    /// Where it lies in the text.
    var start: Int
    var end: Int
    /// Its token, or -1 if these bytes are not a token.
    var token: Int32
    /// Its neighbours' indices, or -1 at the ends.
    fileprivate var previous: Int = -1
    fileprivate var next: Int = -1

    init(start: Int, end: Int, token: Int32) {
      self.start = start
      self.end = end
      self.token = token
    }

    /// Whether it has been joined to the symbol on its left.
    fileprivate var isGone: Bool { start == end }
  }

  /// What two symbols become, and how urgently: the lowest priority first.
  struct Merge {
    var priority: UInt32
    var token: Int32
  }

  private struct Candidate {
    var priority: UInt32
    var token: Int32
    var left: Int
    var right: Int
    /// Where the right symbol ended when this pair was seen; if it ends elsewhere now, the pair is outdated.
    var end: Int

    func comesBefore(_ other: Candidate) -> Bool {
      priority != other.priority ? priority < other.priority : left < other.left
    }
  }

  private var symbols: [Symbol] = []
  private var heap: [Candidate] = []

  /// Removes all symbols; their memory is kept.
  mutating func removeAll() {
    symbols.removeAll(keepingCapacity: true)
    heap.removeAll(keepingCapacity: true)
  }

  /// Adds a symbol at the right end. It must not be empty.
  mutating func append(_ symbol: Symbol) {
    var symbol = symbol
    symbol.previous = symbols.count - 1
    if !symbols.isEmpty { symbols[symbols.count - 1].next = symbols.count }
    symbols.append(symbol)
  }

  /// Joins until `merge`, asked for each pair of neighbours, has nothing more to offer.
  mutating func run(_ merge: (Symbol, Symbol) -> Merge?) {
    for index in symbols.indices.dropFirst() { consider(index - 1, index, merge) }
    while let best = popBest() {
      let right = symbols[best.right]
      guard !symbols[best.left].isGone, !right.isGone, right.end == best.end, symbols[best.left].next == best.right else {
        continue
      }
      symbols[best.left].end = right.end
      symbols[best.left].token = best.token
      symbols[best.left].next = right.next
      symbols[best.right].end = right.start
      if right.next >= 0 { symbols[right.next].previous = best.left }
      consider(symbols[best.left].previous, best.left, merge)
      consider(best.left, right.next, merge)
    }
  }

  /// Calls `body` with each remaining symbol from left to right.
  func forEach(_ body: (Symbol) -> Void) {
    var index = symbols.isEmpty ? -1 : 0
    while index >= 0 {
      body(symbols[index])
      index = symbols[index].next
    }
  }

  private mutating func consider(_ left: Int, _ right: Int, _ merge: (Symbol, Symbol) -> Merge?) {
    guard left >= 0, right >= 0, let found = merge(symbols[left], symbols[right]) else { return }
    push(Candidate(priority: found.priority, token: found.token, left: left, right: right, end: symbols[right].end))
  }

  private mutating func push(_ candidate: Candidate) {
    heap.append(candidate)
    var index = heap.count - 1
    while index > 0 {
      let parent = (index - 1) / 2
      guard candidate.comesBefore(heap[parent]) else { break }
      heap[index] = heap[parent]
      index = parent
    }
    heap[index] = candidate
  }

  private mutating func popBest() -> Candidate? {
    guard let best = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return best }
    var index = 0
    while true {
      var child = 2 * index + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].comesBefore(heap[child]) { child += 1 }
      guard heap[child].comesBefore(last) else { break }
      heap[index] = heap[child]
      index = child
    }
    heap[index] = last
    return best
  }
}
