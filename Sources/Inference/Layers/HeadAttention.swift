// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import PackRuntime

/// Scores, softmax and weighted sums over one layer's keys and values, for the heads of one team: what all kinds of attention
/// share.
struct HeadAttention {
  let thread: PassThread
  let cache: KeyValueCache
  /// Rotated queries, for each head of keys and values [token][head of the group][key length].
  let queries: UnsafeMutablePointer<Float>
  let window: Window
  /// The factor of scores.
  let scale: Float
  /// The limit of scores: for c > 0, they are c · tanh(score / c); 0: none.
  var scoreCap: Float = 0
  /// One logit for each query head. It takes part in the softmax, but attends to nothing.
  let sinks: Row?
  let scratch: Scratch
  /// Room for threads that share a query's positions; nil: they never do.
  let sections: Sections?
  var choice = Choice.all

  /// Which keys tokens attend to, of those in their window.
  enum Choice {
    case all
    /// Tokens that see more than a given number of positions attend to chosen ones, the same for all heads.
    case positions(ChosenPositions)
    /// Tokens that see more than a given number of blocks attend to chosen ones, separate for each head of keys.
    case blocks(ChosenBlocks)
    /// Tokens attend to a window, and to keys that stand for blocks.
    case windowAndBlocks(WindowAndBlocks)

    /// Whether neighbouring tokens of a step attend to the same keys, except for the last ones.
    @inline(__always)
    var isAll: Bool { if case .all = self { true } else { false } }

    /// Whether threads can divide the keys of a token.
    @inline(__always)
    var hasSections: Bool {
      switch self {
      case .all, .positions: true
      case .blocks, .windowAndBlocks: false
      }
    }

    /// Returns the number of keys that a token attends to, before its window is applied, if keys can be divided.
    @inline(__always)
    func keyCount(at position: Int32) -> Int {
      guard case .positions(let chosen) = self else { return Int(position) + 1 }
      return min(Int(position) + 1, chosen.count)
    }
  }

  /// Room for one block of queries: the range of positions that each sees, its sink, and its output.
  struct Scratch {
    let begin: UnsafeMutablePointer<Int32>
    let end: UnsafeMutablePointer<Int32>
    let sinks: Row
    let outputs: Rows
    /// What `ck_attention` needs room for.
    let room: UnsafeMutablePointer<Float>
    let sums: UnsafeMutablePointer<ck_attention_sum>
    /// Copies of keys and values at chosen positions, as in the cache: in F16, or latents in F32 without values.
    let chosenKeys: UnsafeMutableRawPointer
    let chosenValues: UnsafeMutableRawPointer
    /// The positions of chosen blocks, or of listed keys.
    let positions: UnsafeMutablePointer<Int32>

    /// - Parameters:
    ///   - chosenCount: The largest number of positions that are copied.
    ///   - listedCount: The largest number of positions of chosen blocks, or of listed keys.
    @inline(__always)
    init(_ arena: inout Arena, _ heads: Heads, chosenCount: Int, listedCount: Int = 0) {
      let (positions, keyLength, valueLength) = ((chosenCount + 63) / 64 * 64, heads.keyLength, heads.valueLength)
      room = arena.floats(PassSizes.queryBlock * (heads.areLatent ? keyLength + 2 * valueLength : valueLength))
      chosenKeys = UnsafeMutableRawPointer(arena.take(positions * keyLength * heads.elementByteCount, of: UInt8.self))
      chosenValues = UnsafeMutableRawPointer(
        arena.take(heads.areLatent ? 0 : positions * valueLength * heads.elementByteCount, of: UInt8.self))
      self.positions = arena.integers(listedCount)
      begin = arena.integers(PassSizes.queryBlock)
      end = arena.integers(PassSizes.queryBlock)
      sinks = arena.row(PassSizes.queryBlock)
      outputs = arena.rows(PassSizes.queryBlock, length: valueLength)
      sums = arena.take(PassSizes.queryBlock, of: ck_attention_sum.self)
    }
  }

  /// Returns the place of the rotated query of one head and token.
  ///
  /// - Parameter heads: The team's query heads of the group.
  @inline(__always)
  func query(_ head: Int, of heads: Range<Int>, token: Int) -> Row {
    let index = query(heads, first: token * heads.count + head - heads.lowerBound)
    return Row(queries + index * cache.keyLength, count: cache.keyLength)
  }

  /// Returns the number of a query among all queries of the team.
  ///
  /// - Parameter first: Its number within its group, counted as [token][query head].
  @inline(__always)
  func query(_ heads: Range<Int>, first: Int) -> Int {
    (heads.lowerBound - cache.heads.queries.lowerBound) * thread.step.count + first
  }

  /// Computes attention, and calls `publish` with each output of the team's heads that this thread has computed.
  ///
  /// Blocks of queries are numbered across heads and runs. Each goes to the first free thread.
  @inline(__always)
  func run(_ publish: (_ output: Row, _ token: Int, _ head: Int) -> Void) {
    if let sections, sharesPositions(sections) { return run(sections, publish) }
    let limit = cache.heads.queries.count * thread.step.count
    var item = 0
    var next = thread.worker.take(.attention)
    forEachBlock(most: max(1, min(PassSizes.queryBlock, (limit + thread.worker.teamSize - 1) / thread.worker.teamSize))) {
      head, heads, run, block in
      if item == next {
        attend(head, heads, sequence: run.sequence, block)
        for (index, query) in block.enumerated() {
          publish(scratch.outputs[index], query / heads.count, heads.lowerBound + query % heads.count)
        }
        next = thread.worker.take(.attention)
      }
      item += 1
    }
  }

  /// Calls `body` with blocks of the step's queries, for each head of keys and each run. Queries of a group are counted as
  /// [token][query head].
  ///
  /// - Parameter size: The largest number of queries in a block.
  @inline(__always)
  func forEachBlock(
    most size: Int, _ body: (_ head: Int, _ heads: Range<Int>, _ run: SequenceRun, _ block: Range<Int>) -> Void
  ) {
    // Each token has chosen its own keys, so a block must not contain two tokens.
    let areApart = !choice.isAll
    for head in cache.heads.keys {
      let heads = cache.heads.queries(of: head)
      for index in 0..<thread.step.runCount {
        let run = thread.step.runs[index]
        var first = run.begin * heads.count
        let end = (run.begin + run.count) * heads.count
        while first < end {
          var count = min(size, end - first)
          if areApart { count = min(count, heads.count - first % heads.count) }
          body(head, heads, run, first..<first + count)
          first += count
        }
      }
    }
  }

  /// Computes one block of queries of one head of keys and values. Queries are counted as [token][query head].
  ///
  /// - Parameter section: The only positions to attend to; the outputs then go to `sections`. Nil: all.
  func attend(_ head: Int, _ heads: Range<Int>, sequence: Int, _ block: Range<Int>, section: Section? = nil) {
    for (index, query) in block.enumerated() {
      let position = thread.step.positions[query / heads.count]
      scratch.begin[index] = window.first(for: position)
      scratch.end[index] = position + 1
      if let section {
        scratch.end[index] = min(scratch.end[index], section.positions.upperBound)
        scratch.begin[index] = min(max(scratch.begin[index], section.positions.lowerBound), scratch.end[index])
      }
      if let sinks { scratch.sinks[index] = sinks[heads.lowerBound + query % heads.count] }
    }
    var call = ck_attention()
    call.queries = UnsafePointer(query(heads.lowerBound, of: heads, token: 0).start + block.lowerBound * cache.keyLength)
    call.query_stride = Int64(cache.keyLength)
    call.query_count = Int64(block.count)
    (call.begin, call.end) = (UnsafePointer(scratch.begin), UnsafePointer(scratch.end))
    let keys = cache.keys(sequence: sequence, head: head)
    switch cache.form {
    case .halves:
      call.keys = UnsafePointer(keys.assumingMemoryBound(to: UInt16.self))
      call.values = UnsafePointer(cache.values(sequence: sequence, head: head).assumingMemoryBound(to: UInt16.self))
    case .quants:
      call.q8_keys = UnsafePointer(keys.assumingMemoryBound(to: UInt8.self))
      call.q8_values = UnsafePointer(cache.values(sequence: sequence, head: head).assumingMemoryBound(to: UInt8.self))
    case .latents: call.latents = UnsafePointer(keys.assumingMemoryBound(to: Float.self))
    }
    let token = block.lowerBound / heads.count
    let last = thread.step.positions[token]
    switch choice {
    case .positions(let chosen) where Int(last) >= chosen.count:
      let all = 0..<Int32(chosen.count)
      let range = section.map { $0.positions.clamped(to: all) } ?? all
      attend(to: chosen[token] + Int(range.lowerBound), count: range.count, block.count, &call)
    case .blocks(let blocks) where blocks.isNeeded(at: last):
      let count = blocks.expand(token, head: head, upTo: last, into: scratch.positions)
      attend(to: scratch.positions, count: count, block.count, &call)
    case .windowAndBlocks(let keys):
      let count = keys.list(token, position: last, into: scratch.positions)
      attend(to: scratch.positions, count: count, block.count, &call)
    case .all, .positions, .blocks: break
    }
    call.key_dim = Int64(cache.keyLength)
    call.value_dim = Int64(cache.valueLength)
    (call.scale, call.softcap) = (scale, scoreCap)
    call.sinks = sinks == nil ? nil : UnsafePointer(scratch.sinks.start)
    call.output = scratch.outputs.start
    call.output_stride = Int64(cache.valueLength)
    call.room = scratch.room
    guard let section, let sections else { return thread.kernels.attention(&call) }
    let first = self.query(heads, first: block.lowerBound)
    call.output = sections.output(first, section.index, length: cache.valueLength)
    call.output_stride = Int64(sections.count * cache.valueLength)
    call.sums = scratch.sums
    thread.kernels.attention(&call)
    for index in 0..<block.count { sections.sums[(first + index) * sections.count + section.index] = scratch.sums[index] }
  }

  /// Makes a call read copies of the positions that its token has chosen. A quantised cache is left as it is.
  private func attend(to positions: UnsafePointer<Int32>, count: Int, _ queryCount: Int, _ call: inout ck_attention) {
    if let latents = call.latents {
      let copies = scratch.chosenKeys.assumingMemoryBound(to: Float.self)
      thread.kernels.gather(positions, count: count, latents: latents, length: cache.keyLength, into: copies)
      call.latents = UnsafePointer(copies)
    } else if let keys = call.keys, let values = call.values {
      let copies = (
        scratch.chosenKeys.assumingMemoryBound(to: UInt16.self), scratch.chosenValues.assumingMemoryBound(to: UInt16.self)
      )
      thread.kernels.gather(
        positions, count: count, keys: keys, keyLength: cache.keyLength, values: values, valueLength: cache.valueLength,
        into: copies)
      (call.keys, call.values) = (UnsafePointer(copies.0), UnsafePointer(copies.1))
    } else {
      return
    }
    for index in 0..<queryCount { (scratch.begin[index], scratch.end[index]) = (0, Int32(count)) }
  }
}
