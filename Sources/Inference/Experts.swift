// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Glibc
import PackRuntime

extension ForwardPass {
  /// A mixture of experts after its norm, with its shared expert, up to the output in `projected`.
  func mixture(_ layer: Layer, _ worker: Worker) {
    guard let router = layer.feedForward.router, let experts = layer.feedForward.experts else { return }
    let mine = share(router.unitCount(team: worker.team, rows: 16), worker.index, worker.teamSize)
    project(router, first: 0, mine, normed(worker), worker) { $0.pointee.feedForward.scores }
    if let shared = layer.feedForward.dense { gateAndUp(shared, normed(worker), worker) }
    worker.barrier(after: .hidden)

    for token in ownTokens(worker) { choose(layer, token: token, worker) }
    if !isPrivate { worker.teamBarrier() }
    groupByExpert(experts, worker)
    expertGateAndUp(experts, worker)
    worker.barrier(after: .experts)

    if experts.down.readsQuants, !experts.publishesQuants, let used = configuration.experts?.usedCount {
      quantizeShared(expertHidden(experts, worker.team), count: step.count * used, length: experts.gate.rows, worker)
    }
    if let shared = layer.feedForward.dense { finishHidden(shared, worker) }
    expertDown(layer, experts, worker)
    worker.barrier(after: .output)
  }

  @inline(__always)
  private func expertHidden(_ network: GatedWeights, _ team: Int) -> Columns {
    var columns = teams[team].feedForward.expertHidden
    columns.stride = network.gate.rows
    return columns
  }

  /// [token][rank] of the chosen experts, where this thread finds them.
  @inline(__always)
  private func chosen(_ worker: Worker) -> (experts: UnsafeMutablePointer<Int32>, weights: UnsafeMutablePointer<Float>) {
    let (own, team) = (threads[worker.thread], teams[worker.team].feedForward)
    return isPrivate ? (own.chosen, own.weights) : (team.chosen, team.weights)
  }

  /// Chooses one token's experts by their scores and weighs them; equal scores go to the lower number.
  private func choose(_ layer: Layer, token: Int, _ worker: Worker) {
    guard let experts = configuration.experts else { return }
    let scores = teams[worker.team].feedForward.scores + token * experts.count
    let own = threads[worker.thread]
    let probabilities = own.column
    if let bias = vector(layer.feedForward.router?.bias ?? .none, worker) {
      kernels.pointee.add(scores, bias, Int64(experts.count), probabilities)
    } else {
      probabilities.update(from: scores, count: experts.count)
    }
    switch experts.gating {
    case .softmax: kernels.pointee.softmax(probabilities, Int64(experts.count))
    case .sigmoid: sigmoid(probabilities, count: experts.count)
    case .softmaxOfChosen: break
    }
    if let bias = vector(layer.feedForward.selectionBias, worker) {
      kernels.pointee.add(probabilities, bias, Int64(experts.count), own.selection)
    } else {
      own.selection.update(from: probabilities, count: experts.count)
    }
    if experts.groupCount > 1 { keepBestGroups(experts, own) }
    let result = chosen(worker)
    let (ranks, weights) = (result.experts + token * experts.usedCount, result.weights + token * experts.usedCount)
    for rank in 0..<experts.usedCount {
      let best = largest(own.selection, count: experts.count)
      ranks[rank] = Int32(best)
      weights[rank] = probabilities[best]
      own.selection[best] = -.infinity
    }
    weigh(experts, weights)
  }

  /// In double precision, rounded once: the same float whatever the mathematics library.
  private func sigmoid(_ x: UnsafeMutablePointer<Float>, count: Int) {
    for index in 0..<count { x[index] = Float(1 / (1 + exp(-Double(x[index])))) }
  }

  private func weigh(_ experts: ExpertConfiguration, _ weights: UnsafeMutablePointer<Float>) {
    if experts.gating == .softmaxOfChosen { kernels.pointee.softmax(weights, Int64(experts.usedCount)) }
    if experts.normalisesWeights {
      var sum: Float = 0
      for rank in 0..<experts.usedCount { sum += weights[rank] }
      // No smaller than the smallest normal F16, as the models were trained with.
      sum = max(sum, 6.103515625e-5)
      for rank in 0..<experts.usedCount { weights[rank] /= sum }
    }
    if experts.weightsScale != 1 {
      for rank in 0..<experts.usedCount { weights[rank] *= experts.weightsScale }
    }
  }

  /// Leaves only the experts of the groups whose two best scores add up to most.
  private func keepBestGroups(_ experts: ExpertConfiguration, _ own: ThreadBuffers) {
    let size = experts.count / experts.groupCount
    for group in 0..<experts.groupCount {
      var (first, second) = (-Float.infinity, -Float.infinity)
      for index in group * size..<(group + 1) * size {
        let score = own.selection[index]
        if score > first { (first, second) = (score, first) } else if score > second { second = score }
      }
      own.groups[group] = size > 1 ? first + second : first
    }
    for _ in 0..<experts.groupCount - experts.usedGroupCount {
      // The worst of those left; of equals the last, as the first ones are preferred.
      var worst = -1
      for group in 0..<experts.groupCount where !own.groups[group].isNaN {
        if worst < 0 || own.groups[group] <= own.groups[worst] { worst = group }
      }
      guard worst >= 0 else { return }
      own.groups[worst] = .nan
      for index in worst * size..<(worst + 1) * size { own.selection[index] = -.infinity }
    }
  }

  private func largest(_ values: UnsafeMutablePointer<Float>, count: Int) -> Int {
    var best = 0
    for index in 1..<max(count, 1) where values[index] > values[best] { best = index }
    return best
  }

  /// Sorts the step's choices by expert, each expert's by token. Every thread does so for itself, with the same result.
  private func groupByExpert(_ network: GatedWeights, _ worker: Worker) {
    guard let experts = configuration.experts else { return }
    let own = threads[worker.thread]
    let choices = step.count * experts.usedCount
    let ranks = chosen(worker).experts
    own.expertStarts.update(repeating: 0, count: experts.count + 1)
    for index in 0..<choices { own.expertStarts[Int(ranks[index]) + 1] += 1 }
    for expert in 0..<experts.count { own.expertStarts[expert + 1] += own.expertStarts[expert] }
    for index in 0..<choices {
      let expert = Int(ranks[index])
      let place = Int(own.expertStarts[expert])
      own.expertTokens[place] = Int32(index / experts.usedCount)
      own.expertChoices[place] = Int32(index)
      own.expertStarts[expert] += 1
    }
    // Filling moved each start to the next expert's; move them back.
    for expert in stride(from: experts.count, to: 0, by: -1) { own.expertStarts[expert] = own.expertStarts[expert - 1] }
    own.expertStarts[0] = 0
  }

  /// Gate and up of all chosen experts. Their rows, weighted by how many tokens they see, are shared out over the threads.
  private func expertGateAndUp(_ network: GatedWeights, _ worker: Worker) {
    guard let experts = configuration.experts else { return }
    let choices = step.count * experts.usedCount
    let total = network.gate.unitCount(team: worker.team, rows: 32) * choices
    // About a unit of rows of an expert that sees as many tokens as most do.
    let item = max(1, choices / experts.count)
    worker.forEachPart(of: (total + item - 1) / item, .experts) { part in
      expertGateAndUp(network, part.lowerBound * item..<min(part.upperBound * item, total), worker)
    }
  }

  /// The same for a part of the rows of all experts: unit u of an expert's rows stands for as many items as the expert sees tokens.
  private func expertGateAndUp(_ network: GatedWeights, _ part: Range<Int>, _ worker: Worker) {
    guard let experts = configuration.experts else { return }
    let own = threads[worker.thread]
    let units = network.gate.unitCount(team: worker.team, rows: 32)
    for expert in 0..<experts.count {
      let start = Int(own.expertStarts[expert])
      let count = Int(own.expertStarts[expert + 1]) - start
      guard count > 0 else { continue }
      let before = units * start
      // Unit u begins at before + u · count; it belongs to the part into which that falls.
      let low = min(units, max(0, part.lowerBound - before + count - 1) / count)
      let high = min(units, max(0, part.upperBound - before + count - 1) / count)
      guard low < high else { continue }
      network.gate.forEachTile(team: worker.team, unit: 32, share: low..<high) { rows in
        tile(network, expert: expert, rows: rows, normed(worker), count: count, map: own.expertTokens + start, worker)
        for index in 0..<count {
          publishHidden(network, tileColumn: index, rows: rows, column: start + index, worker) {
            $0.pointee.feedForward.expertHidden
          }
        }
      }
    }
  }

  /// The experts' last projections, weighted and summed in the order of their numbers, then the shared expert's.
  private func expertDown(_ layer: Layer, _ network: GatedWeights, _ worker: Worker) {
    let units = network.down.unitCount(team: worker.team, rows: 16)
    worker.forEachPart(of: units, .output, most: BufferSizes.tileRows / 16) { part in
      network.down.forEachTile(team: worker.team, unit: 16, share: part) { rows in
        sumExperts(layer, network, rows: rows, worker)
        publish(
          begin: rows.lowerBound, end: rows.upperBound, count: step.count, stride: configuration.embeddingLength, worker
        ) { $0.pointee.projected }
      }
    }
  }

  private func sumExperts(_ layer: Layer, _ network: GatedWeights, rows: Range<Int>, _ worker: Worker) {
    guard let experts = configuration.experts else { return }
    let (own, length, tile) = (threads[worker.thread], configuration.embeddingLength, BufferSizes.tileRows)
    let target = teams[worker.team].projected + rows.lowerBound
    let weights = chosen(worker).weights
    for token in 0..<step.count { (target + token * length).update(repeating: 0, count: rows.count) }
    for expert in 0..<experts.count {
      let start = Int(own.expertStarts[expert])
      let count = Int(own.expertStarts[expert + 1]) - start
      guard count > 0 else { continue }
      let hidden = expertHidden(network, worker.team)
      network.down.multiply(
        team: worker.team, expert: expert, begin: rows.lowerBound, end: rows.upperBound,
        hidden.reshaped(stride: hidden.stride, from: start * hidden.stride), count: count, output: own.gate - rows.lowerBound,
        stride: tile)
      let bias = vector(network.down.bias, worker).map { $0 + expert * length + rows.lowerBound }
      for index in 0..<count {
        let column = own.gate + index * tile
        if let bias { kernels.pointee.add(column, bias, Int64(rows.count), column) }
        let sum = target + Int(own.expertTokens[start + index]) * length
        kernels.pointee.add_scaled(sum, column, weights[Int(own.expertChoices[start + index])], Int64(rows.count), sum)
      }
    }
    guard let shared = layer.feedForward.dense else { return }
    shared.down.multiply(
      team: worker.team, expert: 0, begin: rows.lowerBound, end: rows.upperBound, hidden(shared, worker.team),
      count: step.count, output: own.gate - rows.lowerBound, stride: tile)
    for token in 0..<step.count {
      kernels.pointee.add(target + token * length, own.gate + token * tile, Int64(rows.count), target + token * length)
    }
  }
}
