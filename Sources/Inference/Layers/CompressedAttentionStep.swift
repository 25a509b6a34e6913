// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Attention to a window and to blocks of one layer on one thread, from the normalised residual to the output in `projected`.
struct CompressedAttentionStep {
  private let thread: PassThread
  private let attention: CompressedAttention
  private let buffers: CompressedAttention.Buffers
  private let scratch: CompressedAttention.Scratch
  private let core: HeadAttention
  private let compressor: CompressorStep?
  private let indexer: BlockKeyIndexerStep?

  private var sizes: CompressedAttention.Configuration { attention.sizes }

  @inline(__always)
  init(_ thread: PassThread, _ attention: CompressedAttention, layer: Int) {
    self.thread = thread
    self.attention = attention
    var room = thread.room
    buffers = CompressedAttention.Buffers(&room, attention, thread.pass.sizes)
    var arena = thread.scratch
    scratch = CompressedAttention.Scratch(&arena, attention, thread.pass.sizes)
    arena = thread.state(ofLayer: layer)
    let state = CompressedAttention.State(
      &arena, attention, thread.pass.state, team: thread.worker.team, teamCount: thread.worker.teamCount)
    let (sizes, chosen) = (attention.sizes, buffers.indexer?.chosen)
    let blocks = sizes.compressor.map {
      WindowAndBlocks(
        window: sizes.window, ratio: $0.ratio, firstBlock: state.cache.firstBlock, chosen: chosen,
        count: sizes.indexer?.count ?? 0)
    }
    core = HeadAttention(
      thread: thread, cache: state.cache, queries: buffers.rotated, window: sizes.window,
      scale: 1 / Float(sizes.length).squareRoot(),
      sinks: thread.vector(attention.sinks), scratch: scratch.core, sections: nil,
      choice: blocks.map { .windowAndBlocks($0) } ?? .all)
    if let own = attention.compressor, let buffers = buffers.compressor, let state = state.compressor {
      compressor = CompressorStep(thread, own, buffers, state)
    } else {
      compressor = nil
    }
    if let own = attention.indexer, let buffers = buffers.indexer, let scratch = scratch.indexer, let keys = state.keys,
      let state = state.indexer
    {
      indexer = BlockKeyIndexerStep(thread, own, rotary: attention.rotary, buffers, keys, state, scratch)
    } else {
      indexer = nil
    }
  }

  func run() {
    project()
    thread.worker.barrier(after: .projections)
    compress()
    thread.worker.teamBarrier()
    expandQueries()
    storeBlocks()
    thread.worker.barrier()
    finishQueries()
    thread.worker.teamBarrier()
    if let indexer {
      indexer.choose()
      thread.worker.teamBarrier()
    }
    core.run { output, token, head in publish(output, token: token, head: head) }
    thread.worker.barrier(after: .attention)
    projectGroups()
    thread.worker.barrier(after: .projections)
    if attention.output.readsQuants { thread.quantizeShared(buffers.grouped, count: thread.step.count) }
    thread.projectOutput(attention.output, buffers.grouped)
  }

  /// Computes all products that read the residual.
  private func project() {
    let (team, input) = (thread.worker.team, thread.normed)
    let keys = attention.queryCompress.unitCount(team: team)
    let own = keys + attention.key.unitCount(team: team)
    let blocks = own + (compressor?.unitCount ?? 0)
    thread.worker.forEachPart(of: blocks + (indexer?.unitCount ?? 0), .projections) { part in
      if let rows = buffers.compressedQuery.plain { thread.project(attention.queryCompress, first: 0, part, input, into: rows) }
      thread.project(attention.key, first: keys, part, input, into: buffers.keys)
      compressor?.project(part, first: own)
      indexer?.project(part, first: blocks)
    }
  }

  /// Normalises compressed queries, stores the tokens' keys, and computes this thread's elements of the blocks' keys.
  private func compress() {
    let (kernels, columns) = (thread.kernels, buffers.compressedQuery)
    for token in thread.part(of: thread.step.count) {
      let query = columns[token]
      kernels.normalize(
        query, weights: thread.vector(attention.queryNorm), epsilon: thread.pass.normEpsilon, into: query)
      if attention.queryExpand.readsQuants || attention.indexer?.query.readsQuants ?? false {
        columns.quantize(kernels, query, column: token)
      }
      let key = buffers.keys[token]
      kernels.normalize(key, weights: thread.vector(attention.keyNorm), epsilon: thread.pass.normEpsilon, into: key)
      thread.rotate(tail(key), attention.rotary, token: token)
      store(key, sequence: thread.step.sequence(of: token), position: Int(thread.step.positions[token]))
    }
    compressor?.compress()
    indexer?.compress()
  }

  /// Returns the elements of a head that RoPE rotates.
  @inline(__always)
  private func tail(_ head: Row) -> Row { head[(sizes.length - sizes.rotary.dimensions)...] }

  /// Stores a key, which is also a value, for all heads of the team.
  private func store(_ key: Row, sequence: Int, position: Int) {
    for head in core.cache.heads.keys {
      core.cache.store(thread.kernels, key: key, sequence: sequence, head: head, position: position)
      core.cache.store(thread.kernels, value: key, sequence: sequence, head: head, position: position)
    }
  }

  private func expandQueries() {
    let part = thread.part(of: attention.queryExpand.unitCount(team: thread.worker.team))
    thread.project(attention.queryExpand, first: 0, part, buffers.compressedQuery, into: buffers.queries)
    indexer?.expand(buffers.compressedQuery)
  }

  /// Stores the keys of the blocks that end in the step.
  private func storeBlocks() {
    compressor?.finish(rotary: attention.rotary, scratch.angles) { key, sequence, block in
      store(key, sequence: sequence, position: core.cache.firstBlock + block)
    }
    indexer?.storeKeys(scratch.angles)
  }

  /// Normalises and rotates the queries of the team's heads.
  private func finishQueries() {
    let queries = core.cache.heads.queries
    for item in thread.part(of: thread.step.count * queries.count) {
      let (token, head) = (item / queries.count, queries.lowerBound + item % queries.count)
      let target = core.query(head, of: queries, token: token)
      thread.kernels.normalize(
        buffers.queries[token][head * sizes.length..<(head + 1) * sizes.length], weights: nil, epsilon: thread.pass.normEpsilon,
        into: target)
      thread.rotate(tail(target), attention.rotary, token: token)
    }
    indexer?.rotateQueries()
  }

  /// Rotates the end of one head's output of one token back, and hands the output to every team.
  private func publish(_ output: Row, token: Int, head: Int) {
    thread.rotateBack(tail(output), attention.rotary, token: token, scratch.angles[1])
    let (group, place) = (head / sizes.headsPerGroup, head % sizes.headsPerGroup)
    thread.publish(
      output, as: attention.attendedForm, to: buffers.attended, column: group * thread.step.count + token,
      from: place * sizes.length)
  }

  /// Computes the first step of the output projection, group by group.
  private func projectGroups() {
    let (team, count) = (thread.worker.team, thread.step.count)
    if attention.groupsReadQuants, !attention.attendedForm.quantised {
      thread.quantizeShared(buffers.attended, count: sizes.groupCount * count)
    }
    guard let rows = buffers.grouped.plain else { return }
    var all = 0
    for group in 0..<sizes.groupCount { all += attention.groups[group].unitCount(team: team) }
    thread.worker.forEachPart(of: all, .projections) { part in
      var first = 0
      for group in 0..<sizes.groupCount {
        let matrix = attention.groups[group]
        thread.project(matrix, first: first, part, buffers.attended.from(group * count), into: rows, from: group * sizes.groupRank)
        first += matrix.unitCount(team: team)
      }
    }
  }
}
