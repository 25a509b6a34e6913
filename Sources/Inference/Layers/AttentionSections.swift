// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import PackRuntime

/// Threads that share the positions of queries.
///
/// A step that generates has few queries: fewer than threads in a large team, and all heads of one group read the same keys and values.
/// After many positions, threads therefore take sections of these, each for all queries of a group, and the sections' outputs are joined
/// in order. `ck_attention` does the same on one thread, bit for bit.
extension HeadAttention {
  /// Some positions that threads take together.
  struct Section {
    let index: Int
    let positions: Range<Int32>
  }

  /// Outputs and sums of sections, for all threads of a team.
  ///
  /// - Invariant: a barrier of the team lies between the last section and the first join.
  struct Sections {
    /// Queries of the team that there is room for.
    let queryCount: Int
    /// Sections of a query.
    let count: Int
    /// [query][section][value length]
    private let outputs: UnsafeMutablePointer<Float>
    /// [query][section]
    let sums: UnsafeMutablePointer<ck_attention_sum>

    /// Room for every head's query of one token, and for more tokens where heads are few.
    ///
    /// - Parameter valueLength: Numbers of a value in the cache.
    @inline(__always)
    init(_ room: inout TeamRoom, headCount: Int, valueLength: Int, _ sizes: PassSizes) {
      let shortest = Int(ck_attention_section(1))
      count = min(Int(CK_ATTENTION_SECTIONS), (sizes.positions + shortest - 1) / shortest)
      let wanted = max(headCount, min(128, headCount * PassSizes.tokensPerThread))
      queryCount = count < HeadAttention.fewestSections ? 0 : wanted
      outputs = room.parts.floats(queryCount * count * valueLength)
      sums = room.parts.take(queryCount * count, of: ck_attention_sum.self)
    }

    @inline(__always)
    func output(_ query: Int, _ section: Int, length: Int) -> UnsafeMutablePointer<Float> {
      outputs + (query * count + section) * length
    }
  }

  /// Sections of a query from which on its threads share them: with fewer, the barrier in front of the join is not worth it.
  static let fewestSections = 3

  /// Whether the step has too few blocks of queries for the team, and positions enough to be shared.
  func sharesPositions(_ sections: Sections) -> Bool {
    let (step, size) = (thread.step, thread.worker.teamSize)
    guard size > 1, choice.isAll, cache.heads.queries.count * step.count <= sections.queryCount else {
      return false
    }
    var longest = 0
    for index in 0..<step.runCount {
      let run = step.runs[index]
      let (first, last) = (Int(step.positions[run.begin]), Int(step.positions[run.begin + run.count - 1]))
      let length = sectionLength(first)
      // The tokens of a block have their sections in common.
      guard sectionLength(last) == length else { return false }
      longest = max(longest, last / length - Int(window.first(for: Int32(last))) / length + 1)
    }
    guard longest >= Self.fewestSections else { return false }
    var count = 0
    forEachBlock(most: PassSizes.queryBlock) { _, _, _, _ in count += 1 }
    return count < 2 * size
  }

  /// Positions of a section of a query at `position`.
  @inline(__always)
  private func sectionLength(_ position: Int) -> Int { Int(ck_attention_section(Int64(position + 1))) }

  /// Calls `publish` with each output of the team's heads that this thread has joined.
  ///
  /// Sections are counted through heads, runs and blocks of queries; each goes to the first thread that is free.
  @inline(__always)
  func run(_ room: Sections, _ publish: (_ output: Row, _ token: Int, _ head: Int) -> Void) {
    var item = 0
    var next = thread.worker.take(.attention)
    forEachBlock(most: PassSizes.queryBlock) { head, heads, run, block in
      let length = sectionLength(Int(thread.step.positions[run.begin]))
      for section in sections(of: block, heads, length: length) {
        if item == next {
          let begin = Int32(section * length)
          attend(
            head, heads, sequence: run.sequence, block,
            section: Section(index: section, positions: begin..<begin + Int32(length)))
          next = thread.worker.take(.attention)
        }
        item += 1
      }
    }
    thread.worker.teamBarrier()
    join(room, publish)
  }

  /// The sections that any query of a block sees.
  @inline(__always)
  private func sections(of block: Range<Int>, _ heads: Range<Int>, length: Int) -> Range<Int> {
    let positions = thread.step.positions
    let (first, last) = (positions[block.lowerBound / heads.count], positions[(block.upperBound - 1) / heads.count])
    return Int(window.first(for: first)) / length..<Int(last) / length + 1
  }

  /// Joins the sections of this thread's part of the queries.
  @inline(__always)
  private func join(_ room: Sections, _ publish: (_ output: Row, _ token: Int, _ head: Int) -> Void) {
    let count = thread.step.count
    let part = thread.part(of: cache.heads.queries.count * count)
    for head in cache.heads.keys {
      let heads = cache.heads.queries(of: head)
      let begin = query(heads, first: 0)
      for index in part.clamped(to: begin..<begin + heads.count * count) {
        let (token, head) = ((index - begin) / heads.count, heads.lowerBound + (index - begin) % heads.count)
        let position = Int(thread.step.positions[token])
        let length = sectionLength(position)
        let first = Int(window.first(for: Int32(position))) / length
        let output = scratch.outputs[0]
        thread.kernels.joinSections(
          room.output(index, first, length: cache.valueLength), room.sums + index * room.count + first,
          count: position / length + 1 - first, sink: sinks.map { $0.start + head }, into: output)
        publish(output, token, head)
      }
    }
  }
}
