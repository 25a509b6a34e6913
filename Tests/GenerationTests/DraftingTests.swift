// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Generation

@Suite("Proposing tokens")
struct DraftingTests {
  private func foreseen(_ tokens: [Int32], _ limit: Int, capacity: Int = 1000) -> [Int32] {
    var text = RepeatedText(capacity: capacity)
    for token in tokens { text.append(token) }
    var draft: [Int32] = []
    text.foresee(limit, into: &draft)
    return draft
  }

  @Test("The drafter predicts what followed the last three tokens at their latest earlier occurrence")
  func follows() {
    #expect(foreseen([1, 2, 3, 4, 5, 9, 1, 2, 3], 2) == [4, 5])
    #expect(foreseen([1, 2, 3, 4, 9, 1, 2, 3, 7, 9, 1, 2, 3], 1) == [7])
    #expect(foreseen([1, 2, 3, 4, 5, 9, 0, 2, 3], 2) == [])
    #expect(foreseen([1, 2, 3], 2) == [])
    #expect(foreseen([], 2) == [])
    #expect(foreseen([1, 2, 3, 1, 2, 3], 0) == [])
  }

  @Test("A text that repeats itself immediately is predicted beyond its end")
  func overlaps() {
    #expect(foreseen([8, 1, 2, 1, 2, 1, 2], 5) == [1, 2, 1, 2, 1])
    #expect(foreseen([5, 5, 5, 5], 3) == [5, 5, 5])
  }

  @Test("A text longer than its buffer is forgotten, and predictions use what came after it")
  func forgets() {
    let first = [Int32](0..<20)
    let (same, other): ([Int32], [Int32]) = ([0, 1, 2], [7, 8, 9, 6, 7, 8, 9])
    #expect(foreseen(first + same, 1, capacity: 20) == [])
    #expect(foreseen(first + other, 1, capacity: 20) == [6])
  }

  @Test("The prediction equals what a search for the last occurrence finds")
  func search() {
    var random = SplitMix64(seed: 5)
    var (text, tokens) = (RepeatedText(capacity: 4000), [Int32]())
    for _ in 0..<3000 {
      let token = Int32.random(in: 0..<6, using: &random)
      text.append(token)
      tokens.append(token)
      guard tokens.count > 3 else { continue }
      let end = tokens.suffix(3)
      let found: Int? = (3..<tokens.count).last { (place: Int) -> Bool in tokens[place - 3..<place].elementsEqual(end) }
      var draft: [Int32] = []
      text.foresee(1, into: &draft)
      let expected: [Int32] = found.map { [tokens[$0]] } ?? []
      #expect(draft == expected)
    }
  }

  @Test("Proposals grow while they are accepted, and pause while they are not")
  func length() {
    var length = DraftLength()
    for _ in 0..<5 {
      let proposed = length.next()
      #expect(proposed > 0)
      length.note(proposed: proposed, accepted: proposed)
    }
    #expect(length.next() == DraftLength.most)
    length.note(proposed: 15, accepted: 4)
    #expect(length.next() == 5)
    // With failures only, hardly any of 1000 steps has proposals.
    var tries = 0
    for _ in 0..<1000 {
      let proposed = length.next()
      guard proposed > 0 else { continue }
      tries += 1
      length.note(proposed: proposed, accepted: 0)
    }
    #expect(tries < 25)
    // A single success ends the pauses.
    while length.next() == 0 {}
    length.note(proposed: 2, accepted: 2)
    #expect(length.next() > 2)
  }
}
