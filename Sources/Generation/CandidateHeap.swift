// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Tokens with their logits, sorted from best to worst; of equal logits the lowest id is best. Its memory is allocated once.
struct CandidateHeap {
  struct Candidate {
    var logit: Float
    var token: Int32

    func isBetter(than other: Candidate) -> Bool {
      logit != other.logit ? logit > other.logit : token < other.token
    }
  }

  /// The candidates; sorted from best to worst after `keepBest`.
  private(set) var entries: [Candidate] = []

  init(capacity: Int) { entries.reserveCapacity(capacity) }

  /// Replaces the candidates by the best `count` of all logits that are numbers above minus infinity.
  ///
  /// - Complexity: O(n log count), with mostly one comparison per logit.
  mutating func keepBest(_ count: Int, of logits: Span<Float>) {
    entries.removeAll(keepingCapacity: true)
    guard count > 0 else { return }
    if count >= logits.count {
      for index in logits.indices where logits[index] > -.infinity {
        entries.append(Candidate(logit: logits[index], token: Int32(truncatingIfNeeded: index)))
      }
      for index in stride(from: entries.count / 2 - 1, through: 0, by: -1) { sink(index, end: entries.count) }
    } else {
      for start in stride(from: 0, to: logits.count, by: BlockMaximum.blockSize) {
        let end = min(start + BlockMaximum.blockSize, logits.count)
        // The root is the worst candidate. A later token with the same logit is worse than it.
        if entries.count == count, !(BlockMaximum.of(logits, from: start, to: end) > entries[0].logit) { continue }
        for index in start..<end { offer(logits[index], index, count) }
      }
    }
    sort()
  }

  /// Adds a logit if it is among the best `count` so far.
  private mutating func offer(_ logit: Float, _ index: Int, _ count: Int) {
    let candidate = Candidate(logit: logit, token: Int32(truncatingIfNeeded: index))
    if entries.count < count {
      guard logit > -.infinity else { return }
      entries.append(candidate)
      rise(entries.count - 1)
    } else if logit > entries[0].logit {
      entries[0] = candidate
      sink(0, end: count)
    }
  }

  /// Replaces the candidates by all logits that are at least `least` and above minus infinity, in the order of their ids.
  mutating func keepAll(of logits: Span<Float>, from least: Float) {
    entries.removeAll(keepingCapacity: true)
    for index in logits.indices where logits[index] >= least && logits[index] > -.infinity {
      entries.append(Candidate(logit: logits[index], token: Int32(truncatingIfNeeded: index)))
    }
  }

  /// Removes candidates with logits below `least`.
  mutating func removeWorse(than least: Float) {
    if least > -.infinity { entries.removeAll { $0.logit < least } }
  }

  /// Removes all but the first `count` candidates.
  mutating func truncate(to count: Int) { entries.removeLast(entries.count - min(count, entries.count)) }

  /// Sorts by heap sort: the worst candidate is moved to the end, then the worst of the rest, and so on.
  private mutating func sort() {
    var end = entries.count
    while end > 1 {
      end -= 1
      entries.swapAt(0, end)
      sink(0, end: end)
    }
  }

  private mutating func rise(_ index: Int) {
    var index = index
    while index > 0, entries[(index - 1) / 2].isBetter(than: entries[index]) {
      entries.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private mutating func sink(_ index: Int, end: Int) {
    var index = index
    while 2 * index + 1 < end {
      var child = 2 * index + 1
      if child + 1 < end, entries[child].isBetter(than: entries[child + 1]) { child += 1 }
      guard entries[index].isBetter(than: entries[child]) else { return }
      entries.swapAt(index, child)
      index = child
    }
  }
}
