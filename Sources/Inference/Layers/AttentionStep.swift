// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Attention of one layer on one thread, from the normalised residual to the output in `projected`.
struct AttentionStep {
  private let thread: PassThread
  private let attention: Attention
  private let buffers: Attention.Buffers
  private let core: HeadAttention
  private let indexer: BlockIndexerStep?

  @inline(__always)
  init(_ thread: PassThread, _ attention: Attention, layer: Int) {
    self.thread = thread
    self.attention = attention
    var room = thread.room
    buffers = Attention.Buffers(&room, attention, thread.pass.sizes)
    var arena = thread.scratch
    let scratch = Attention.Scratch(&arena, attention, thread.pass.sizes)
    var state = thread.state(ofLayer: attention.source ?? layer)
    let (team, teamCount) = (thread.worker.team, thread.worker.teamCount)
    let cache = KeyValueCache(&state, attention.heads, thread.pass.state, team: team, teamCount: teamCount)
    core = HeadAttention(
      thread: thread, cache: cache, queries: buffers.rotated, window: attention.window, scale: attention.scale,
      scoreCap: attention.scoreCap, sinks: thread.vector(attention.sinks), scratch: scratch.core, sections: buffers.sections,
      choice: buffers.indexer.map { .blocks($0.chosen) } ?? .all)
    if let own = attention.indexer, let buffers = buffers.indexer, let scratch = scratch.indexer {
      let keys = Indexer.Keys(&state, length: own.sizes.length, thread.pass.state)
      indexer = BlockIndexerStep(thread, own, rotary: attention.rotary, heads: cache.heads.keys, buffers, keys, scratch)
    } else {
      indexer = nil
    }
  }

  func run() {
    project()
    finishQueriesAndKeys()
    indexer?.finish()
    thread.worker.teamBarrier()
    if let indexer {
      indexer.choose()
      thread.worker.teamBarrier()
    }
    core.run { output, token, head in publish(output, token: token, head: head) }
    thread.worker.barrier(after: .attention)
    thread.projectOutput(attention.output, buffers.attended, handedOnAs: attention.outputForm)
  }

  /// Computes queries, keys and values of the step's tokens, for every team.
  private func project() {
    let input = thread.normed
    let team = thread.worker.team
    let queries = attention.query.unitCount(team: team)
    let (keys, values) = (attention.key?.unitCount(team: team) ?? 0, attention.value?.unitCount(team: team) ?? 0)
    let own = queries + keys + values + (attention.headGate?.unitCount(team: team) ?? 0)
    let all = own + (indexer?.unitCount ?? 0)
    thread.worker.forEachPart(of: all, .projections) { part in
      thread.project(attention.query, first: 0, part, input, into: buffers.queries)
      if let key = attention.key { thread.project(key, first: queries, part, input, into: buffers.keys) }
      if let value = attention.value {
        thread.project(
          value, first: queries + keys, part, input, inTwoParts: attention.valuesReadTwoParts, into: buffers.values)
      }
      if let gate = attention.headGate {
        thread.project(gate, first: queries + keys + values, part, input, into: buffers.headGates)
      }
      indexer?.project(part, first: own)
    }
    thread.worker.barrier(after: .projections)
  }

  /// Finishes the team's queries and keys (bias, norm, RoPE), and stores its keys and values.
  private func finishQueriesAndKeys() {
    let heads = core.cache.heads.keys
    for item in thread.part(of: thread.step.count * heads.count) {
      let (token, head) = (item / heads.count, heads.lowerBound + item % heads.count)
      if let key = attention.key { store(key, token: token, head: head) }
      rotateQueries(token: token, head: head)
    }
  }

  private func store(_ projection: Matrix, token: Int, head: Int) {
    let (keyLength, valueLength) = (attention.heads.keyLength, attention.heads.valueLength)
    let (sequence, position) = (thread.step.sequence(of: token), Int(thread.step.positions[token]))
    let key = thread.own.column[..<keyLength]
    finish(buffers.keys[token], head: head, projection.bias, attention.keyNorm, into: key, token: token)
    core.cache.store(thread.kernels, key: key, sequence: sequence, head: head, position: position)

    let elements = head * valueLength..<(head + 1) * valueLength
    var value = (attention.value == nil ? buffers.keys : buffers.values)[token][elements]
    let finished = thread.own.column[..<valueLength]
    if let bias = thread.vector((attention.value ?? projection).bias) {
      thread.kernels.add(value, bias[elements], into: finished)
      value = finished
    }
    if attention.normalisesValues {
      thread.kernels.normalize(value, weights: nil, epsilon: thread.pass.normEpsilon, into: finished)
      value = finished
    }
    core.cache.store(thread.kernels, value: value, sequence: sequence, head: head, position: position)
  }

  /// Finishes the queries of head `head` of keys and values, and puts them where attention reads them.
  private func rotateQueries(token: Int, head: Int) {
    let heads = core.cache.heads.queries(of: head)
    for query in heads {
      let target = core.query(query, of: heads, token: token)
      // Where each query is followed by a gate of the same length, queries are every second head.
      let place = attention.hasGateInQuery ? 2 * query : query
      finish(buffers.queries[token], head: place, attention.query.bias, attention.queryNorm, into: target, token: token)
      if let factor = attention.temperature?.factor(at: thread.step.positions[token]), factor != 1 {
        thread.kernels.scale(target, by: factor)
      }
    }
  }

  /// Adds the bias to one head of a projection, normalises it and rotates it, into `target`.
  private func finish(_ projection: Row, head: Int, _ bias: Vector, _ norm: Vector, into target: Row, token: Int) {
    let kernels = thread.kernels
    let elements = head * target.count..<(head + 1) * target.count
    if case .wholeThenRotate = attention.order {
      normalizeWhole(projection, bias, norm, elements, into: target)
    } else if let bias = thread.vector(bias) {
      kernels.add(projection[elements], bias[elements], into: target)
    } else {
      target.copy(projection[elements])
    }
    switch attention.order {
    case .wholeThenRotate: rotate(target, token: token)
    case .headThenRotate:
      if let norm = thread.vector(norm) {
        kernels.normalize(target, weights: norm, epsilon: thread.pass.normEpsilon, into: target)
      }
      rotate(target, token: token)
    case .rotateThenHead:
      rotate(target, token: token)
      kernels.normalize(target, weights: thread.vector(norm), epsilon: thread.pass.normEpsilon, into: target)
    case .rotateThenUnit:
      rotate(target, token: token)
      kernels.normalize(target, weights: nil, epsilon: thread.pass.normEpsilon, into: target)
    }
  }

  /// Adds the bias to a projection, normalises it over all heads, and copies `elements` of it to `target`.
  private func normalizeWhole(_ projection: Row, _ bias: Vector, _ norm: Vector, _ elements: Range<Int>, into target: Row) {
    let whole = thread.own.column2[..<projection.count]
    var source = projection
    if let bias = thread.vector(bias) {
      thread.kernels.add(projection, bias, into: whole)
      source = whole
    }
    thread.kernels.normalize(source, weights: thread.vector(norm), epsilon: thread.pass.normEpsilon, into: whole)
    target.copy(whole[elements])
  }

  private func rotate(_ head: Row, token: Int) {
    if let rotary = attention.rotary { thread.rotate(head, rotary, token: token) }
  }

  /// Multiplies one head's output of one token by its gate.
  private func applyGate(_ output: Row, token: Int, head: Int) {
    if attention.hasGateInQuery {
      let gate = buffers.queries[token][(2 * head + 1) * output.count..<(2 * head + 2) * output.count]
      thread.kernels.multiply(output, byLogisticOf: gate, into: output)
    } else if attention.headGate != nil {
      thread.kernels.scale(output, by: logistic(buffers.headGates[token][head]))
    }
  }

  /// Gates one head's output of one token and hands it to every team.
  private func publish(_ output: Row, token: Int, head: Int) {
    applyGate(output, token: token, head: head)
    thread.publish(
      output, as: attention.outputForm, to: buffers.attended, column: token, from: head * output.count)
  }
}
