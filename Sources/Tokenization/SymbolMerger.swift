// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Joins neighbouring symbols of a text, the best pair first, until no pair makes a token.
///
/// Both kinds of tokenizer work this way. SentencePiece-style ones take the pair whose joined token has the highest score; byte
/// pair encoding takes the pair with the lowest merge rank. Of equal pairs the leftmost is taken. Pairs wait in a binary heap and
/// symbols form a doubly linked list, so a text of n symbols takes O(n log n).
struct SymbolMerger {
  /// A run of the text's bytes that is joined so far.
  struct Symbol {
    /// Its bytes in the text.
    fileprivate(set) var start: Int32
    fileprivate(set) var end: Int32
    /// Its token, or -1 if these bytes are not a token.
    fileprivate(set) var token: Int32
    /// The indices of its neighbours, or -1 at the ends.
    fileprivate var previous: Int32 = -1
    fileprivate var next: Int32 = -1

    /// - Precondition: `range` is below 2^31.
    init(_ range: Range<Int>, token: Int32) {
      start = Int32(range.lowerBound)
      end = Int32(range.upperBound)
      self.token = token
    }

    /// Whether it has been joined to the symbol on its left.
    fileprivate var isGone: Bool { start == end }
    /// Its bytes in the text.
    var range: Range<Int> { Int(start)..<Int(end) }
  }

  /// The result of joining two symbols, and its priority; the lowest number comes first.
  struct Merge {
    var priority: UInt32
    var token: Int32
  }

  private struct Candidate {
    var priority: UInt32
    var token: Int32
    var left: Int32
    var right: Int32
    /// The end of the right symbol when this pair was found. If it has another end now, the pair is outdated.
    var end: Int32

    func comesBefore(_ other: Candidate) -> Bool { priority != other.priority ? priority < other.priority : left < other.left }
  }

  private var symbols: [Symbol] = []
  private var heap: [Candidate] = []

  /// Removes all symbols, but keeps their memory.
  mutating func removeAll() {
    symbols.removeAll(keepingCapacity: true)
    heap.removeAll(keepingCapacity: true)
  }

  /// Adds a symbol at the right end. It must not be empty.
  mutating func append(_ symbol: Symbol) {
    var symbol = symbol
    symbol.previous = Int32(symbols.count) - 1
    if !symbols.isEmpty { symbols[symbols.count - 1].next = Int32(symbols.count) }
    symbols.append(symbol)
  }

  /// Joins symbols until `merge` returns nil for every pair of neighbours.
  mutating func run(_ merge: (Symbol, Symbol) -> Merge?) {
    for index in symbols.indices.dropFirst() { consider(Int32(index) - 1, Int32(index), merge) }
    while let best = popBest() {
      let (left, right) = (Int(best.left), symbols[Int(best.right)])
      guard !symbols[left].isGone, !right.isGone, right.end == best.end, symbols[left].next == best.right else { continue }
      symbols[left].end = right.end
      symbols[left].token = best.token
      symbols[left].next = right.next
      symbols[Int(best.right)].end = right.start
      if right.next >= 0 { symbols[Int(right.next)].previous = best.left }
      consider(symbols[left].previous, best.left, merge)
      consider(best.left, right.next, merge)
    }
  }

  /// Calls `body` with each remaining symbol from left to right.
  func forEach(_ body: (Symbol) -> Void) {
    var index = symbols.isEmpty ? -1 : 0
    while index >= 0 {
      body(symbols[index])
      index = Int(symbols[index].next)
    }
  }

  private mutating func consider(_ left: Int32, _ right: Int32, _ merge: (Symbol, Symbol) -> Merge?) {
    guard left >= 0, right >= 0, let found = merge(symbols[Int(left)], symbols[Int(right)]) else { return }
    push(Candidate(priority: found.priority, token: found.token, left: left, right: right, end: symbols[Int(right)].end))
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
