// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Latent attention of one layer on one thread, from the normalised residual to the output in `projected`.
struct LatentAttentionStep {
  private let thread: PassThread
  private let attention: LatentAttention
  private let buffers: LatentAttention.Buffers
  private let scratch: LatentAttention.Scratch
  private let core: HeadAttention
  private let indexer: IndexerStep?

  private var sizes: LatentAttention.Configuration { attention.sizes }

  @inline(__always)
  init(_ thread: PassThread, _ attention: LatentAttention, layer: Int) {
    self.thread = thread
    self.attention = attention
    var room = thread.room
    buffers = LatentAttention.Buffers(&room, attention, thread.pass.sizes)
    var arena = thread.scratch
    scratch = LatentAttention.Scratch(&arena, attention, thread.pass.sizes)
    var state = thread.state(ofLayer: layer)
    let cache = KeyValueCache(
      &state, attention.sizes.heads, thread.pass.state, team: thread.worker.team, teamCount: thread.worker.teamCount)
    core = HeadAttention(
      thread: thread, cache: cache, queries: buffers.rotated, window: Window(), scale: attention.sizes.scale, sinks: nil,
      scratch: scratch.core, sections: buffers.sections,
      choice: attention.sizes.indexer == nil ? .all : .positions(thread.buffers.chosen))
    if let own = attention.indexer, let buffers = buffers.indexer, let scratch = scratch.indexer {
      let keys = Indexer.Keys(&state, length: own.sizes.length, thread.pass.state)
      indexer = IndexerStep(thread, own, rotary: attention.rotary ?? 0, buffers, keys, scratch)
    } else {
      indexer = nil
    }
  }

  func run() {
    compress()
    thread.worker.barrier()
    if case .compressed(_, let norm, let expand) = attention.query { expandQueries(norm, expand) }
    store()
    thread.worker.barrier()
    // From here on, every team has the step's index keys and queries.
    indexer?.store()
    indexer?.rotateQueries()
    splitQueries()
    thread.worker.teamBarrier()
    absorb()
    indexer?.choose()
    thread.worker.barrier()
    core.run { output, token, head in publish(output, token: token, head: head) }
    thread.worker.barrier(after: .attention)
    expandValues()
    thread.worker.barrier()
    if attention.gate != nil { applyGate() }
    if attention.output.readsQuants { thread.quantizeShared(buffers.attended, count: thread.step.count) }
    thread.projectOutput(attention.output, buffers.attended)
  }

  /// Computes compressed queries (or queries, if they are not compressed), compressed vectors, gates, and what the indexer needs.
  private func compress() {
    let units = attention.query.first.unitCount(team: thread.worker.team)
    let own = units + attention.compress.unitCount(team: thread.worker.team)
    let gated = own + (indexer?.unitCount ?? 0)
    let part = thread.part(of: gated + (attention.gate?.unitCount(team: thread.worker.team) ?? 0))
    if let gate = attention.gate { thread.project(gate, first: gated, part, thread.normed, into: buffers.gates) }
    switch attention.query {
    case .direct(let matrix): thread.project(matrix, first: 0, part, thread.normed, into: buffers.queries)
    case .compressed(let matrix, _, _):
      if let rows = buffers.compressedQuery.plain { thread.project(matrix, first: 0, part, thread.normed, into: rows) }
    }
    thread.project(attention.compress, first: units, part, thread.normed, into: buffers.keys)
    indexer?.project(part, first: own)
  }

  private func expandQueries(_ norm: Vector, _ expand: Matrix) {
    let columns = buffers.compressedQuery
    for token in thread.part(of: thread.step.count) {
      let row = columns[token]
      thread.kernels.normalize(row, weights: thread.vector(norm), epsilon: thread.pass.normEpsilon, into: row)
      if expand.readsQuants { columns.quantize(thread.kernels, row, column: token) }
    }
    thread.worker.teamBarrier()
    let part = thread.part(of: expand.unitCount(team: thread.worker.team))
    thread.project(expand, first: 0, part, columns, into: buffers.queries)
    indexer?.expand(columns)
  }

  /// Stores the tokens' compressed vectors. Each team stores all of them, because all heads read them.
  private func store() {
    let (kernels, cache) = (thread.kernels, core.cache)
    guard !cache.heads.keys.isEmpty else { return }
    let (head, length, rank) = (cache.heads.keys.lowerBound, sizes.cachedLength, sizes.rank)
    let key = thread.own.column[..<length]
    for token in thread.part(of: thread.step.count) {
      let row = buffers.keys[token]
      let (sequence, position) = (thread.step.sequence(of: token), Int(thread.step.positions[token]))
      kernels.normalize(
        row[..<rank], weights: thread.vector(attention.norm), epsilon: thread.pass.normEpsilon, into: key[..<rank])
      key[rank..<length].copy(row[rank...])
      if let rotary = attention.rotary { thread.rotate(key[rank..<length], rotary, token: token) }
      // Its compressed part, at the beginning, is also the value.
      cache.store(kernels, key: key, sequence: sequence, head: head, position: position)
    }
  }

  /// Gathers the plain parts of all heads' queries, and rotates the other parts of the team's heads' queries into place.
  private func splitQueries() {
    let (step, queries) = (thread.step, core.cache.heads.queries)
    for item in thread.part(of: step.count * sizes.headCount) {
      let (head, token) = (item / step.count, item % step.count)
      let source = buffers.queries[token][head * sizes.queryLength..<(head + 1) * sizes.queryLength]
      if let factor = sizes.temperature?.factor(at: step.positions[token]), factor != 1 { thread.kernels.scale(source, by: factor) }
      let plain = source[..<sizes.plainLength]
      buffers.plainQueries[item].copy(plain)
      if attention.keyExpand.readsQuants { buffers.plainQueries.quantize(thread.kernels, plain, column: item) }
      guard queries.contains(head) else { continue }
      let target = core.query(head, of: queries, token: token)
      let rotated = target[sizes.rank..<sizes.cachedLength]
      rotated.copy(source[sizes.plainLength...])
      if let rotary = attention.rotary { thread.rotate(rotated, rotary, token: token) }
    }
  }

  /// Takes every head's query into the space of the compressed vectors. Each team computes its rows for every head and hands them
  /// to the head's team.
  private func absorb() {
    let (step, length, team) = (thread.step, sizes.cachedLength, thread.worker.team)
    forEachHeadTile(attention.keyExpand) { head, rows in
      attention.keyExpand.multiply(
        rows, of: head, team: team, buffers.plainQueries.from(head * step.count), count: step.count, into: scratch.tile,
        first: rows.lowerBound)
      for other in 0..<thread.worker.teamCount {
        let queries = TeamHeads(sizes.heads, team: other, teamCount: thread.worker.teamCount).queries
        guard queries.contains(head) else { continue }
        let start = thread.address(of: buffers.rotated, on: other)
        for token in 0..<step.count {
          let target = Row(start + (token * queries.count + head - queries.lowerBound) * length, count: length)
          target[rows].copy(scratch.tile[token][..<rows.count])
        }
        if other != team { thread.countCrossing(rows.count * step.count * 4) }
      }
    }
  }

  /// Hands one head's output of one token to every team.
  private func publish(_ output: Row, token: Int, head: Int) {
    thread.publish(
      output[..<sizes.rank], as: ActivationForm(quantised: attention.valueExpand.readsQuants, plain: true),
      to: buffers.latentAttended,
      column: head * thread.step.count + token)
  }

  /// Takes every head's output from the compressed space back to its values.
  private func expandValues() {
    guard let attended = buffers.attended.plain else { return }
    let (step, matrix) = (thread.step, attention.valueExpand)
    forEachHeadTile(matrix) { head, rows in
      let first = head * sizes.valueLength
      matrix.multiply(
        rows, of: head, team: thread.worker.team, buffers.latentAttended.from(head * step.count), count: step.count,
        into: attended, first: -first)
      thread.publish(attended, first + rows.lowerBound..<first + rows.upperBound, count: step.count)
    }
  }

  /// Gates all values; each team does so for itself.
  private func applyGate() {
    for token in thread.part(of: thread.step.count) {
      let row = buffers.attended[token]
      thread.kernels.multiply(row, byLogisticOf: buffers.gates[token], into: row)
    }
    thread.worker.teamBarrier()
  }

  /// Calls `body` with this thread's part of the rows of each head's matrix, a tile at a time.
  @inline(__always)
  private func forEachHeadTile(_ matrix: Matrix, _ body: (_ head: Int, _ rows: Range<Int>) -> Void) {
    let units = matrix.unitCount(team: thread.worker.team)
    let part = thread.part(of: units * sizes.headCount)
    for head in 0..<sizes.headCount {
      matrix.forEachTile(team: thread.worker.team, first: head * units, part: part) { body(head, $0) }
    }
  }
}
