// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Glibc
import PackRuntime

extension ForwardPass {
  /// Attention of one layer up to its output projection.
  func attend(_ layer: Layer, _ index: Int, _ worker: Worker) {
    guard let key = layer.attention.key, let value = layer.attention.value else { return }
    let query = layer.attention.query
    normalize(
      layer.attentionNorm, quantizing: query.readsQuants || key.readsQuants || value.readsQuants, finely: isFine,
      worker)
    let input = normed(worker)
    let groups = (query.unitCount(team: worker.team, rows: 16), key.unitCount(team: worker.team, rows: 16))
    let all = groups.0 + groups.1 + value.unitCount(team: worker.team, rows: 16)
    worker.forEachPart(of: all, .projections) { part in
      project(query, first: 0, part, input, finely: isFine, worker) { $0.pointee.attention.queries }
      project(key, first: groups.0, part, input, finely: isFine, worker) { $0.pointee.attention.keys }
      project(value, first: groups.0 + groups.1, part, input, finely: isFine, worker) { $0.pointee.attention.values }
    }
    worker.barrier(after: .projections)

    let cache = caches[worker.team * configuration.layerCount + index]
    rotate(layer, cache, worker)
    worker.teamBarrier()
    attendHeads(layer, cache, worker)
    worker.barrier(after: .attention)

    var attended = teams[worker.team].attention.attended
    attended.stride = layer.shape.headCount * layer.shape.valueLength
    let output = layer.attention.output
    if output.readsQuants, !layer.attention.publishesQuants(layer.shape) {
      quantizeShared(attended, count: step.count, length: attended.stride, finely: isFine, worker)
    }
    projectOutput(output, attended, finely: isFine, worker)
  }

  /// A part of a product's rows, published to all teams.
  ///
  /// - Parameter finely: Whether the quantised activations stand in two columns each.
  @inline(__always)
  func project(
    _ matrix: Matrix, first: Int, _ part: Range<Int>, _ input: Columns, finely: Bool = false, _ worker: Worker,
    _ buffer: (UnsafePointer<TeamBuffers>) -> UnsafeMutablePointer<Float>
  ) {
    let isDouble = finely && matrix.readsQuants && !matrix.readsFloats
    matrix.forEachRun(team: worker.team, unit: 16, first: first, share: part) { begin, end in
      let output = buffer(teams + worker.team)
      matrix.multiply(
        team: worker.team, expert: 0, begin: begin, end: end, input, count: isDouble ? 2 * step.count : step.count,
        output: output, stride: matrix.rows)
      if isDouble {
        for token in 0..<step.count {
          let sum = output + token * matrix.rows + begin
          kernels.pointee.add(sum, sum + step.count * matrix.rows, Int64(end - begin), sum)
        }
      }
      publish(begin: begin, end: end, count: step.count, stride: matrix.rows, worker, buffer)
    }
  }

  /// A projection back to the residual's length, with the barrier after it.
  func projectOutput(_ matrix: Matrix, _ input: Columns, finely: Bool = false, _ worker: Worker) {
    worker.forEachPart(of: matrix.unitCount(team: worker.team, rows: 16), .output) { part in
      project(matrix, first: 0, part, input, finely: finely, worker) { $0.pointee.projected }
    }
    worker.barrier(after: .output)
  }

  /// Finishes the team's queries and keys (bias, norm, RoPE) and stores its keys and values.
  private func rotate(_ layer: Layer, _ cache: LayerCache, _ worker: Worker) {
    let heads = cache.share.keyEnd - cache.share.keyBegin
    for item in share(step.count * heads, worker.index, worker.teamSize) {
      let token = item / heads
      let head = cache.share.keyBegin + item % heads
      storeKey(layer, cache, token: token, head: head, worker)
      rotateQueries(layer, cache, token: token, head: head, worker)
    }
  }

  private func storeKey(_ layer: Layer, _ cache: LayerCache, token: Int, head: Int, _ worker: Worker) {
    let (shape, buffers) = (layer.shape, teams[worker.team])
    let (sequence, position) = (sequence(of: token), Int(step.positions[token]))
    let scratch = threads[worker.thread].column
    let all = shape.keyValueHeadCount * shape.keyLength
    finishHead(
      buffers.attention.keys + token * all, head: head, length: shape.keyLength, all: all, layer.attention.key?.bias ?? .none,
      layer.attention.keyNorm, layer.attention.norm, into: scratch, worker)
    rotate(scratch, token: token, hasWindow: shape.window > 0, worker)
    cache.store(kernels, key: scratch, keyLength: shape.keyLength, sequence: sequence, head: head, position: position)

    var source = buffers.attention.values + (token * shape.keyValueHeadCount + head) * shape.valueLength
    if let bias = vector(layer.attention.value?.bias ?? .none, worker) {
      kernels.pointee.add(source, bias + head * shape.valueLength, Int64(shape.valueLength), scratch)
      source = scratch
    }
    cache.store(kernels, value: source, valueLength: shape.valueLength, sequence: sequence, head: head, position: position)
  }

  /// The queries that read head `head` of keys, into the order in which attention reads them.
  private func rotateQueries(_ layer: Layer, _ cache: LayerCache, token: Int, head: Int, _ worker: Worker) {
    let (shape, buffers) = (layer.shape, teams[worker.team])
    let queries = cache.share.queries(of: head, group: shape.groupSize)
    let all = shape.headCount * shape.keyLength
    for query in queries {
      let target = rotatedQueries(buffers, cache, shape, queries, token: token) + (query - queries.lowerBound) * shape.keyLength
      finishHead(
        buffers.attention.queries + token * all, head: query, length: shape.keyLength, all: all, layer.attention.query.bias,
        layer.attention.queryNorm, layer.attention.norm, into: target, worker)
      rotate(target, token: token, hasWindow: shape.window > 0, worker)
    }
  }

  /// Where the rotated queries of one group and token start.
  @inline(__always)
  func rotatedQueries(
    _ buffers: TeamBuffers, _ cache: LayerCache, _ shape: LayerConfiguration, _ queries: Range<Int>, token: Int
  ) -> UnsafeMutablePointer<Float> {
    let before = (queries.lowerBound - cache.share.queryBegin) * step.count
    return buffers.rotated + (before + token * queries.count) * shape.keyLength * shape.cacheParts
  }

  /// One head of a projection with its bias and norm. The norm over the whole projection needs all heads of the token.
  private func finishHead(
    _ projection: UnsafeMutablePointer<Float>, head: Int, length: Int, all: Int, _ bias: Vector, _ norm: Vector,
    _ kind: QueryKeyNorm, into target: UnsafeMutablePointer<Float>, _ worker: Worker
  ) {
    let start = head * length
    guard kind != .wholeProjection else {
      let whole = threads[worker.thread].column2
      var source = projection
      if let bias = vector(bias, worker) {
        kernels.pointee.add(projection, bias, Int64(all), whole)
        source = whole
      }
      kernels.pointee.rms_norm(source, vector(norm, worker), configuration.normEpsilon, Int64(all), whole)
      target.update(from: whole + start, count: length)
      return
    }
    if let bias = vector(bias, worker) {
      kernels.pointee.add(projection + start, bias + start, Int64(length), target)
    } else {
      target.update(from: projection + start, count: length)
    }
    if kind == .perHead {
      kernels.pointee.rms_norm(target, vector(norm, worker), configuration.normEpsilon, Int64(length), target)
    }
  }

  /// Scores, softmax and sums of the team's heads; the output goes to every team, quantised where the projection wants it so.
  func attendHeads(_ layer: Layer, _ cache: LayerCache, _ worker: Worker) {
    let shape = layer.shape
    let most = (cache.share.queryEnd - cache.share.queryBegin) * step.count
    let block = max(1, min(BufferSizes.queryBlock, (most + worker.teamSize - 1) / worker.teamSize))
    // Blocks are counted through heads and runs; each goes to whichever thread is free.
    var item = 0
    var next = worker.take(.attention)
    for head in cache.share.keyBegin..<cache.share.keyEnd {
      let queries = cache.share.queries(of: head, group: shape.groupSize)
      for index in 0..<step.runCount {
        let run = step.runs[index]
        var first = run.begin * queries.count
        let end = (run.begin + run.count) * queries.count
        while first < end {
          let count = min(block, end - first)
          if item == next {
            attend(layer, cache, head: head, queries, sequence: run.sequence, first: first, count: count, worker)
            next = worker.take(.attention)
          }
          item += 1
          first += count
        }
      }
    }
  }

  /// One block of queries of one head of keys and values: `count` from the `first` of [token][query].
  private func attend(
    _ layer: Layer, _ cache: LayerCache, head: Int, _ queries: Range<Int>, sequence: Int, first: Int, count: Int,
    _ worker: Worker
  ) {
    let (shape, own) = (layer.shape, threads[worker.thread])
    let sinks = vector(layer.attention.sinks, worker)
    for index in 0..<count {
      let position = step.positions[(first + index) / queries.count]
      own.begin[index] = shape.window > 0 ? max(0, position - Int32(shape.window) + 1) : 0
      own.end[index] = position + 1
      if let sinks { own.sinks[index] = sinks[queries.lowerBound + (first + index) % queries.count] }
    }
    let (keyLength, valueLength) = (shape.keyLength * shape.cacheParts, shape.valueLength * shape.cacheParts)
    var call = ck_attention()
    call.queries = UnsafePointer(
      rotatedQueries(teams[worker.team], cache, shape, queries, token: 0) + first * keyLength)
    call.query_stride = Int64(keyLength)
    call.query_count = Int64(count)
    (call.begin, call.end) = (UnsafePointer(own.begin), UnsafePointer(own.end))
    let (keys, values) = (cache.keys(sequence: sequence, head: head), cache.values(sequence: sequence, head: head))
    if cache.isQuantised {
      call.q8_keys = UnsafePointer(keys.assumingMemoryBound(to: UInt8.self))
      call.q8_values = UnsafePointer(values.assumingMemoryBound(to: UInt8.self))
    } else {
      call.keys = UnsafePointer(keys.assumingMemoryBound(to: UInt16.self))
      call.values = UnsafePointer(values.assumingMemoryBound(to: UInt16.self))
    }
    call.key_dim = Int64(keyLength)
    call.value_dim = Int64(valueLength)
    call.scale = configuration.attentionScale
    call.sinks = sinks == nil ? nil : UnsafePointer(own.sinks)
    call.output = own.attended
    call.output_stride = Int64(valueLength)
    kernels.pointee.attention(&call)
    for index in 0..<count {
      let token = (first + index) / queries.count
      let output = own.attended + index * valueLength
      if shape.cacheParts == 2 {
        kernels.pointee.add(output, output + shape.valueLength, Int64(shape.valueLength), output)
      }
      publish(output, layer, token: token, query: queries.lowerBound + (first + index) % queries.count, worker)
    }
  }

  /// Hands one head's output of one token to every team.
  private func publish(
    _ output: UnsafeMutablePointer<Float>, _ layer: Layer, token: Int, query: Int, _ worker: Worker
  ) {
    let length = layer.shape.valueLength
    let stride = layer.shape.headCount * length
    if let latent = layer.attention.latent {
      publishLatent(output, latent, token: token, head: query, length: length, worker)
      return
    }
    let quantizes = layer.attention.publishesQuants(layer.shape)
    let keepsFloats = layer.attention.publishesFloats(layer.shape)
    var own = teams[worker.team].attention.attended
    own.stride = stride
    if quantizes, isFine {
      own.quantizeFinely(
        kernels, output, column: token, rest: step.count + token, begin: query * length, count: length,
        scratch: threads[worker.thread].column)
    } else if quantizes {
      own.quantize(kernels, output, column: token, begin: query * length, count: length)
    }
    for team in 0..<teamCount {
      var columns = teams[team].attention.attended
      columns.stride = stride
      if keepsFloats {
        columns.floats(token, from: query * length).update(from: output, count: length)
      }
      guard quantizes, team != worker.team else { continue }
      columns.copyQuants(from: own, column: token, begin: query * length, count: length)
      if isFine { columns.copyQuants(from: own, column: step.count + token, begin: query * length, count: length) }
    }
    let quants = quantizes ? Columns.quantizedByteCount(length) * (isFine ? 2 : 1) : 0
    let floats = keepsFloats ? length * 4 : 0
    countCrossing((quants + floats) * (teamCount - 1), worker)
  }

  @inline(__always)
  func sequence(of token: Int) -> Int {
    var index = 0
    while index + 1 < step.runCount, step.runs[index + 1].begin <= token { index += 1 }
    return step.runs[index].sequence
  }

  /// Turns one head by the angles of a token's position.
  @inline(__always)
  func rotate(_ head: UnsafeMutablePointer<Float>, token: Int, hasWindow: Bool, _ worker: Worker) {
    let angles = hasWindow ? teams[worker.team].windowRotary : teams[worker.team].rotary
    let at = token * configuration.rotaryDimensions / 2
    let rotate = configuration.pairing == .halves ? kernels.pointee.rope_halves : kernels.pointee.rope_adjacent
    rotate?(head, angles.cosines + at, angles.sines + at, Int64(configuration.rotaryDimensions))
  }

  /// Cosines and sines of this step's positions; the barrier after the first projections makes them visible to the team.
  func rotaryAngles(_ worker: Worker) {
    let pairs = configuration.rotaryDimensions / 2
    let buffers = teams[worker.team]
    for item in share(step.count * pairs, worker.index, worker.teamSize) {
      let position = Double(step.positions[item / pairs])
      let (angle, windowAngle) = (position * frequencies[item % pairs], position * windowFrequencies[item % pairs])
      buffers.rotary.cosines[item] = Float(cos(angle)) * configuration.rotaryMagnitude
      buffers.rotary.sines[item] = Float(sin(angle)) * configuration.rotaryMagnitude
      buffers.windowRotary.cosines[item] = Float(cos(windowAngle)) * configuration.windowRotaryMagnitude
      buffers.windowRotary.sines[item] = Float(sin(windowAngle)) * configuration.windowRotaryMagnitude
    }
  }
}
