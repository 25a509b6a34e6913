// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import PackRuntime

/// Sharing a query's positions among threads.
///
/// A decode step has few queries, often fewer than a large team has threads, and all query heads of a group read the same keys and
/// values. With many positions, each thread therefore takes sections of the positions, for all queries of a group, and the outputs
/// of the sections are joined in order. `ck_attention` divides and joins in the same way on one thread, so the results are equal
/// bit for bit.
extension HeadAttention {
  /// A range of positions that one thread handles; of chosen positions, a range of their numbers in the list.
  struct Section {
    let index: Int
    let positions: Range<Int32>
  }

  /// The outputs and softmax sums of sections, shared by the threads of a team.
  ///
  /// - Invariant: A barrier of the team lies between the last section and the first join.
  struct Sections {
    /// The number of the team's queries that there is room for; 0: positions are never shared.
    let queryCount: Int
    /// The largest number of sections of a query.
    let count: Int
    /// [query][section][value length]
    private let outputs: UnsafeMutablePointer<Float>
    /// [query][section]
    let sums: UnsafeMutablePointer<ck_attention_sum>

    /// Takes room for the queries of all heads of one token, and of more tokens if there are few heads.
    @inline(__always)
    init(_ room: inout TeamRoom, _ heads: Heads, _ sizes: PassSizes) {
      let shortest = HeadAttention.sectionLength(keyCount: 1, areLatent: heads.areLatent)
      count = min(Int(CK_ATTENTION_SECTIONS), (sizes.positions + shortest - 1) / shortest)
      let wanted = max(heads.queryCount, min(128, heads.queryCount * PassSizes.tokensPerThread))
      queryCount = count < HeadAttention.fewestSections ? 0 : wanted
      outputs = room.parts.floats(queryCount * count * heads.valueLength)
      sums = room.parts.take(queryCount * count, of: ck_attention_sum.self)
    }

    @inline(__always)
    func output(_ query: Int, _ section: Int, length: Int) -> UnsafeMutablePointer<Float> {
      outputs + (query * count + section) * length
    }
  }

  /// The fewest sections of a query that are shared. With fewer, the barrier before the join costs more than sharing gains.
  static let fewestSections = 3

  /// Whether the step has too few blocks of queries for the team, and enough positions to share.
  func sharesPositions(_ sections: Sections) -> Bool {
    let (step, size) = (thread.step, thread.worker.teamSize)
    guard size > 1, choice.hasSections, cache.heads.queries.count * step.count <= sections.queryCount else { return false }
    var longest = 0
    for index in 0..<step.runCount {
      let run = step.runs[index]
      let (first, last) = (step.positions[run.begin], step.positions[run.begin + run.count - 1])
      let length = sectionLength(first)
      // All tokens of a run must have sections of the same length.
      guard sectionLength(last) == length else { return false }
      longest = max(longest, self.sections(of: last, length: length).count)
    }
    guard longest >= Self.fewestSections else { return false }
    var count = 0
    forEachBlock(most: PassSizes.queryBlock) { _, _, _, _ in count += 1 }
    return count < 2 * size
  }

  /// Returns the length of a section for a query that sees `keyCount` keys.
  @inline(__always)
  private static func sectionLength(keyCount: Int, areLatent: Bool) -> Int {
    Int(areLatent ? ck_latent_section(Int64(keyCount)) : ck_attention_section(Int64(keyCount)))
  }

  /// Returns the length of a section for a query at `position`.
  @inline(__always)
  private func sectionLength(_ position: Int32) -> Int {
    Self.sectionLength(keyCount: choice.keyCount(at: position), areLatent: cache.form == .latents)
  }

  /// Returns the sections that a query at `position` sees.
  @inline(__always)
  private func sections(of position: Int32, length: Int) -> Range<Int> {
    Int(window.first(for: position)) / length..<(choice.keyCount(at: position) - 1) / length + 1
  }

  /// Computes attention in sections, and calls `publish` with each output that this thread has joined.
  ///
  /// Sections are numbered across heads, runs and blocks of queries. Each goes to the first free thread.
  @inline(__always)
  func run(_ room: Sections, _ publish: (_ output: Row, _ token: Int, _ head: Int) -> Void) {
    var item = 0
    var next = thread.worker.take(.attention)
    forEachBlock(most: PassSizes.queryBlock) { head, heads, run, block in
      let length = sectionLength(thread.step.positions[run.begin])
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

  /// Returns the sections that at least one query of a block sees.
  @inline(__always)
  private func sections(of block: Range<Int>, _ heads: Range<Int>, length: Int) -> Range<Int> {
    let positions = thread.step.positions
    let (first, last) = (positions[block.lowerBound / heads.count], positions[(block.upperBound - 1) / heads.count])
    return sections(of: first, length: length).lowerBound..<sections(of: last, length: length).upperBound
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
        let position = thread.step.positions[token]
        let sections = self.sections(of: position, length: sectionLength(position))
        let output = scratch.outputs[0]
        thread.kernels.joinSections(
          room.output(index, sections.lowerBound, length: cache.valueLength), room.sums + index * room.count + sections.lowerBound,
          count: sections.count, sink: sinks.map { $0.start + head }, into: output)
        publish(output, token, head)
      }
    }
  }
}
