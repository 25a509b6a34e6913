// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import PackRuntime

/// Multi-head latent attention (DeepSeek V2, https://arxiv.org/abs/2405.04434, section 2.1), in its absorbed form.
///
/// The cache keeps one compressed vector and one rotated key per token, common to all heads. Each head's query is taken into the
/// space of the compressed vectors (`keyExpand`), and its output out of it (`valueExpand`). As the cache keeps each element as two
/// numbers whose sum it is, queries stand twice, and the two halves of the output are added.
extension ForwardPass {
  /// Latent attention of one layer up to its output projection.
  func attendLatent(_ layer: Layer, _ index: Int, _ worker: Worker) {
    guard let weights = layer.attention.latent, let latent = configuration.latent else { return }
    let cache = caches[worker.team * configuration.layerCount + index]
    compress(layer, weights, worker)
    worker.barrier()
    if let queryCompress = weights.queryCompress {
      expandQueries(layer, weights, rank: queryCompress.rows, worker)
    }
    storeLatent(layer, weights, latent, cache, worker)
    worker.barrier()
    splitQueries(layer, weights, latent, cache, worker)
    worker.teamBarrier()
    absorb(layer, weights, latent, worker)
    worker.barrier()
    attendHeads(layer, cache, worker)
    worker.barrier(after: .attention)
    expandValues(layer, weights, latent, worker)
    worker.barrier()
    var attended = teams[worker.team].attention.attended
    attended.stride = layer.shape.headCount * latent.valueLength
    if layer.attention.output.readsQuants {
      quantizeShared(attended, count: step.count, length: attended.stride, worker)
    }
    projectOutput(layer.attention.output, attended, worker)
  }

  /// The compressed query (or, where queries are not compressed, the queries) and the compressed keys and values.
  private func compress(_ layer: Layer, _ weights: LatentWeights, _ worker: Worker) {
    let query = weights.queryCompress ?? layer.attention.query
    normalize(layer.attentionNorm, quantizing: query.readsQuants || weights.compress.readsQuants, worker)
    let units = query.unitCount(team: worker.team, rows: 16)
    let mine = share(units + weights.compress.unitCount(team: worker.team, rows: 16), worker.index, worker.teamSize)
    let isCompressed = weights.queryCompress != nil
    project(query, first: 0, mine, normed(worker), worker) {
      isCompressed ? $0.pointee.attention.compressedQuery.floats(0) : $0.pointee.attention.queries
    }
    project(weights.compress, first: units, mine, normed(worker), worker) { $0.pointee.attention.keys }
  }

  private func expandQueries(_ layer: Layer, _ weights: LatentWeights, rank: Int, _ worker: Worker) {
    var columns = teams[worker.team].attention.compressedQuery
    columns.stride = rank
    for token in share(step.count, worker.index, worker.teamSize) {
      let row = columns.floats(token)
      kernels.pointee.rms_norm(row, vector(weights.queryNorm, worker), configuration.normEpsilon, Int64(rank), row)
      if layer.attention.query.readsQuants { columns.quantize(kernels, row, column: token, begin: 0, count: rank) }
    }
    worker.teamBarrier()
    let query = layer.attention.query
    let mine = share(query.unitCount(team: worker.team, rows: 16), worker.index, worker.teamSize)
    project(query, first: 0, mine, columns, worker) { $0.pointee.attention.queries }
  }

  /// Each team keeps all compressed vectors, as all its heads read them.
  private func storeLatent(
    _ layer: Layer, _ weights: LatentWeights, _ latent: LatentConfiguration, _ cache: LayerCache, _ worker: Worker
  ) {
    guard cache.share.keyBegin < cache.share.keyEnd else { return }
    let (key, length) = (threads[worker.thread].column, latent.cachedLength)
    for token in share(step.count, worker.index, worker.teamSize) {
      let row = teams[worker.team].attention.keys + token * length
      let (sequence, position) = (sequence(of: token), Int(step.positions[token]))
      kernels.pointee.rms_norm(row, vector(weights.norm, worker), configuration.normEpsilon, Int64(latent.rank), key)
      (key + latent.rank).update(from: row + latent.rank, count: latent.rotaryLength)
      rotate(key + latent.rank, token: token, hasWindow: false, worker)
      leaveOut(key, length, worker)
      let head = cache.share.keyBegin
      cache.store(kernels, key: key, keyLength: length * 2, sequence: sequence, head: head, position: position)
      // A value is the compressed part alone: its halves lie apart in the key.
      let values = cache.values(sequence: sequence, head: head, position: position).assumingMemoryBound(to: UInt16.self)
      kernels.pointee.to_f16(key, Int64(latent.rank), values)
      kernels.pointee.to_f16(key + length, Int64(latent.rank), values + latent.rank)
    }
  }

  /// Behind the numbers at `key`, what rounding each to F16 leaves out of it.
  private func leaveOut(_ key: UnsafeMutablePointer<Float>, _ length: Int, _ worker: Worker) {
    for index in 0..<length { key[length + index] = key[index] - Float(Float16(key[index])) }
  }

  /// Gathers the plain parts of all heads' queries, and rotates the other parts of the team's own heads' into place.
  private func splitQueries(
    _ layer: Layer, _ weights: LatentWeights, _ latent: LatentConfiguration, _ cache: LayerCache, _ worker: Worker
  ) {
    let (buffers, heads) = (teams[worker.team], layer.shape.headCount)
    var plain = buffers.attention.plainQueries
    plain.stride = latent.plainLength
    let queries = cache.share.queryBegin..<cache.share.queryEnd
    for item in share(step.count * heads, worker.index, worker.teamSize) {
      let (head, token) = (item / step.count, item % step.count)
      let source = buffers.attention.queries + (token * heads + head) * latent.queryLength
      plain.floats(item).update(from: source, count: latent.plainLength)
      if weights.keyExpand.readsQuants {
        plain.quantize(kernels, source, column: item, begin: 0, count: latent.plainLength)
      }
      guard queries.contains(head) else { continue }
      let target =
        rotatedQueries(buffers, cache, layer.shape, queries, token: token)
        + (head - queries.lowerBound) * latent.cachedLength * 2 + latent.rank
      target.update(from: source + latent.plainLength, count: latent.rotaryLength)
      rotate(target, token: token, hasWindow: false, worker)
      (target + latent.cachedLength).update(from: target, count: latent.rotaryLength)
    }
  }

  /// Takes every head's query into the space of the compressed vectors; each team computes its rows of every head and hands them
  /// to the head's team.
  private func absorb(_ layer: Layer, _ weights: LatentWeights, _ latent: LatentConfiguration, _ worker: Worker) {
    let matrix = weights.keyExpand
    let tile = BufferSizes.tileRows
    let scratch = threads[worker.thread].gate
    forEachHeadTile(matrix, heads: layer.shape.headCount, worker) { head, rows in
      let input = teams[worker.team].attention.plainQueries.reshaped(
        stride: latent.plainLength, from: head * step.count * latent.plainLength)
      matrix.multiply(
        team: worker.team, expert: head, begin: rows.lowerBound, end: rows.upperBound, input, count: step.count,
        output: scratch - rows.lowerBound, stride: tile)
      for team in 0..<teamCount {
        let share = HeadShare(layer.shape, team: team, teamCount: teamCount)
        guard (share.queryBegin..<share.queryEnd).contains(head) else { continue }
        let count = share.queryEnd - share.queryBegin
        for token in 0..<step.count {
          let target = teams[team].rotated + (token * count + head - share.queryBegin) * latent.cachedLength * 2
          (target + rows.lowerBound).update(from: scratch + token * tile, count: rows.count)
          (target + latent.cachedLength + rows.lowerBound).update(from: scratch + token * tile, count: rows.count)
        }
        if team != worker.team { countCrossing(rows.count * step.count * 8, worker) }
      }
    }
  }

  /// Attention's output of one head and token, in the space of the compressed vectors, for every team.
  func publishLatent(
    _ output: UnsafeMutablePointer<Float>, _ weights: LatentWeights, token: Int, head: Int, length: Int,
    _ worker: Worker
  ) {
    let column = head * step.count + token
    let own = teams[worker.team].attention.latentAttended
    if weights.valueExpand.readsQuants { own.quantize(kernels, output, column: column, begin: 0, count: length) }
    for team in 0..<teamCount {
      var columns = teams[team].attention.latentAttended
      columns.stride = length
      columns.floats(column).update(from: output, count: length)
      if weights.valueExpand.readsQuants, team != worker.team {
        columns.copyQuants(from: own, column: column, begin: 0, count: length)
      }
    }
    let quants = weights.valueExpand.readsQuants ? Columns.quantizedByteCount(length) : 0
    countCrossing((length * 4 + quants) * (teamCount - 1), worker)
  }

  /// Every head's output back from the compressed space to its values.
  private func expandValues(_ layer: Layer, _ weights: LatentWeights, _ latent: LatentConfiguration, _ worker: Worker) {
    let stride = layer.shape.headCount * latent.valueLength
    forEachHeadTile(weights.valueExpand, heads: layer.shape.headCount, worker) { head, rows in
      let input = teams[worker.team].attention.latentAttended.reshaped(stride: latent.rank, from: head * step.count * latent.rank)
      weights.valueExpand.multiply(
        team: worker.team, expert: head, begin: rows.lowerBound, end: rows.upperBound, input, count: step.count,
        output: teams[worker.team].attention.attended.floats(0, from: head * latent.valueLength), stride: stride)
      let start = head * latent.valueLength
      publish(begin: start + rows.lowerBound, end: start + rows.upperBound, count: step.count, stride: stride, worker) {
        $0.pointee.attention.attended.floats(0)
      }
    }
  }

  /// Calls `body` with this thread's share of the rows of each head's matrix, a tile at a time.
  @inline(__always)
  private func forEachHeadTile(
    _ matrix: Matrix, heads: Int, _ worker: Worker, _ body: (_ head: Int, _ rows: Range<Int>) -> Void
  ) {
    let units = matrix.unitCount(team: worker.team, rows: 16)
    let mine = share(units * heads, worker.index, worker.teamSize)
    for head in 0..<heads {
      matrix.forEachTile(team: worker.team, unit: 16, first: head * units, share: mine) { body(head, $0) }
    }
  }
}
