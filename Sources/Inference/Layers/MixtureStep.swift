// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// A mixture of experts of one layer on one thread, from the normalised residual to the output in `projected`.
struct MixtureStep {
  private let thread: PassThread
  private let mixture: Mixture
  private let buffers: Mixture.Buffers
  private let scratch: Mixture.Scratch

  private var routing: Routing { mixture.routing }
  private var experts: GatedNetwork { mixture.experts }

  @inline(__always)
  init(_ thread: PassThread, _ mixture: Mixture) {
    self.thread = thread
    self.mixture = mixture
    var room = thread.room
    buffers = Mixture.Buffers(&room, mixture, thread.pass.sizes)
    var arena = thread.scratch
    scratch = Mixture.Scratch(&arena, mixture, thread.pass.sizes)
  }

  /// The choices, either this thread's own or the team's.
  private var choices: Mixture.Choices { thread.keepsResidual ? scratch.choices : buffers.choices }

  func run() {
    if mixture.routerNorm.isPresent { prepareRouterInput() }
    let input = mixture.routerNorm.isPresent ? buffers.routerInput : thread.normed
    let units = mixture.router.unitCount(team: thread.worker.team)
    let latent = units + (mixture.sharedGate?.unitCount(team: thread.worker.team) ?? 0)
    let part = thread.part(of: latent + (mixture.latent?.down.unitCount(team: thread.worker.team) ?? 0))
    thread.project(mixture.router, first: 0, part, input, into: buffers.scores)
    if let gate = mixture.sharedGate { thread.project(gate, first: units, part, thread.normed, into: buffers.sharedGates) }
    if let down = mixture.latent?.down, let inputs = buffers.latentInput.plain {
      thread.project(down, first: latent, part, thread.normed, into: inputs)
    }
    if let shared = mixture.shared, let hidden = buffers.sharedHidden { thread.computeHidden(shared, hidden, scratch.tile) }
    thread.worker.barrier(after: .hidden)

    for token in thread.tokens { choose(token: token) }
    if !thread.keepsResidual { thread.worker.teamBarrier() }
    groupByExpert()
    if mixture.latent != nil, experts.readsQuants { thread.quantizeShared(buffers.latentInput, count: thread.step.count) }
    computeHidden()
    thread.worker.barrier(after: .experts)

    finishHidden()
    if let latent = mixture.latent, let output = buffers.latentOutput.plain {
      computeExperts(into: output)
      thread.worker.barrier(after: .output)
      normalizeLatent(latent)
      computeOutput(latent.up)
    } else {
      computeExperts(into: thread.buffers.projected)
    }
    thread.worker.barrier(after: .output)
  }

  /// Prepares the router's own input.
  private func prepareRouterInput() {
    let kernels = thread.kernels
    for token in thread.part(of: thread.step.count) {
      let row = buffers.routerInput[token]
      kernels.normalize(
        thread.residual[token], weights: thread.vector(mixture.routerNorm), epsilon: thread.pass.normEpsilon, into: row)
      kernels.scale(row, by: 1 / Float(row.count).squareRoot())
      if mixture.router.readsQuants { buffers.routerInput.quantize(kernels, row, column: token) }
    }
    thread.worker.teamBarrier()
  }

  private func finishHidden() {
    if experts.isApart { forEachExpert { thread.activateApart(experts, of: $0, $1, weights: inputWeights($1), buffers.hidden) } }
    if let shared = mixture.shared, let hidden = buffers.sharedHidden {
      if shared.isApart { thread.activateApart(shared, 0..<thread.step.count, hidden) }
      if shared.isApart || experts.isApart { thread.worker.teamBarrier() }
      thread.quantizeHidden(shared, hidden, count: thread.step.count)
    } else if experts.isApart {
      thread.worker.teamBarrier()
    }
    thread.quantizeHidden(experts, buffers.hidden, count: thread.step.count * routing.usedCount)
  }

  /// Returns the factors of an expert's inputs; nil if weights are applied to outputs.
  private func inputWeights(_ places: Range<Int>) -> Mixture.InputWeights? {
    mixture.weighsInputs
      ? Mixture.InputWeights(choices: choices, placed: UnsafePointer(scratch.placed + places.lowerBound)) : nil
  }

  private func choose(token: Int) {
    let first = token * routing.usedCount
    if let table = mixture.tokenExperts {
      (choices.experts + first).update(from: table + Int(thread.step.tokens[token]) * routing.usedCount, count: routing.usedCount)
      return routing.weigh(
        buffers.scores[token], bias: thread.vector(mixture.router.bias), thread.kernels, scratch.routing,
        ranks: choices.experts + first, weights: choices.weights[first..<first + routing.usedCount])
    }
    routing.choose(
      buffers.scores[token], bias: thread.vector(mixture.router.bias), selectionBias: thread.vector(mixture.selectionBias),
      thread.kernels, scratch.routing, ranks: choices.experts + first, weights: choices.weights[first..<first + routing.usedCount])
  }

  /// Sorts the step's choices by expert, and those of an expert by token. Every thread does so for itself, with the same result.
  private func groupByExpert() {
    let (count, ranks, starts) = (thread.step.count * routing.usedCount, choices.experts, scratch.starts)
    starts.update(repeating: 0, count: routing.count + 1)
    for index in 0..<count { starts[Int(ranks[index]) + 1] += 1 }
    scratch.active[0] = 0
    for expert in 0..<routing.count {
      if starts[expert + 1] > 0 {
        scratch.active[0] += 1
        scratch.active[Int(scratch.active[0])] = Int32(expert)
      }
      starts[expert + 1] += starts[expert]
    }
    for index in 0..<count {
      let expert = Int(ranks[index])
      let place = Int(starts[expert])
      scratch.tokens[place] = Int32(index / routing.usedCount)
      scratch.placed[place] = Int32(index)
      starts[expert] += 1
    }
    // Filling has moved each start to the next expert's start; this moves them back.
    for expert in stride(from: routing.count, to: 0, by: -1) { starts[expert] = starts[expert - 1] }
    starts[0] = 0
  }

  /// Calls `body` with each chosen expert and its places among the sorted choices.
  @inline(__always)
  private func forEachExpert(_ body: (_ expert: Int, _ places: Range<Int>) -> Void) {
    for index in 1..<Int(scratch.active[0]) + 1 {
      let expert = Int(scratch.active[index])
      body(expert, Int(scratch.starts[expert])..<Int(scratch.starts[expert + 1]))
    }
  }

  /// Computes gate, up and activation of all chosen experts. Rows are divided among the threads, weighted by the number of tokens
  /// they are multiplied with.
  private func computeHidden() {
    let choices = thread.step.count * routing.usedCount
    let total = experts.hiddenUnitCount(team: thread.worker.team) * choices
    // About the work for one unit of rows of an expert with an average number of tokens.
    let item = max(1, choices / routing.count)
    thread.worker.forEachPart(of: (total + item - 1) / item, .experts) { part in
      computeHidden(part.lowerBound * item..<min(part.upperBound * item, total))
    }
  }

  /// Computes some items of that work. Each unit of an expert's rows counts as many items as the expert has tokens.
  private func computeHidden(_ part: Range<Int>) {
    let units = experts.hiddenUnitCount(team: thread.worker.team)
    let input = mixture.latent == nil ? thread.normed : buffers.latentInput
    forEachExpert { expert, places in
      let (before, count) = (units * places.lowerBound, places.count)
      // Unit u begins at item before + u · count, and belongs to the part that contains this item.
      let low = min(units, max(0, part.lowerBound - before + count - 1) / count)
      let high = min(units, max(0, part.upperBound - before + count - 1) / count)
      guard low < high else { return }
      let map = scratch.tokens + places.lowerBound
      if experts.isApart {
        return thread.computeApart(
          experts, of: expert, low..<high, input, count: count, map: map, buffers.hidden.from(places.lowerBound))
      }
      experts.gate.forEachTile(team: thread.worker.team, unit: 32, part: low..<high) { rows in
        thread.activate(
          experts, of: expert, rows, input, count: count, map: map, weights: inputWeights(places), in: scratch.tile)
        for index in 0..<count {
          thread.publish(
            scratch.tile.gate[index][..<rows.count], as: experts.hiddenForm, to: buffers.hidden.columns,
            column: places.lowerBound + index,
            from: rows.lowerBound)
        }
      }
    }
  }

  /// Computes the experts' last projections, and adds them up, weighted, in the order of their numbers. If that sum is the output,
  /// the shared expert's output is added after them.
  private func computeExperts(into output: Rows) {
    let units = experts.down.unitCount(team: thread.worker.team)
    thread.worker.forEachPart(of: units, .output, most: PassSizes.tileRows / 16) { part in
      experts.down.forEachTile(team: thread.worker.team, part: part) { rows in
        sumExperts(rows, into: output)
        if mixture.latent == nil { addShared(rows) }
        thread.publish(output, rows, count: thread.step.count)
      }
    }
  }

  /// Normalises the sum of the experts' outputs for the last projection; each team does so for itself.
  private func normalizeLatent(_ latent: LatentExperts) {
    let kernels = thread.kernels
    for token in thread.part(of: thread.step.count) {
      let row = buffers.latentOutput[token]
      if let norm = thread.vector(latent.norm) {
        kernels.normalize(row, weights: norm, epsilon: thread.pass.normEpsilon, into: row)
      }
      if latent.up.readsQuants { buffers.latentOutput.quantize(kernels, row, column: token) }
    }
    thread.worker.teamBarrier()
  }

  /// Projects the sum of the experts' outputs to the residual, and adds the shared expert's output.
  private func computeOutput(_ up: Matrix) {
    let (team, output) = (thread.worker.team, thread.buffers.projected)
    thread.worker.forEachPart(of: up.unitCount(team: team), .output, most: PassSizes.tileRows / 16) { part in
      up.forEachTile(team: team, part: part) { rows in
        up.multiply(rows, team: team, buffers.latentOutput, count: thread.step.count, into: output)
        addShared(rows)
        thread.publish(output, rows, count: thread.step.count)
      }
    }
  }

  private func sumExperts(_ rows: Range<Int>, into output: Rows) {
    let (team, count, kernels) = (thread.worker.team, thread.step.count, thread.kernels)
    let tile = scratch.tile.gate
    for token in 0..<count { output[token][rows].fill(0) }
    forEachExpert { expert, places in
      experts.down.multiply(
        rows, of: expert, team: team, buffers.hidden.columns.from(places.lowerBound), count: places.count, into: tile,
        first: rows.lowerBound)
      let bias = thread.vector(experts.down.bias.row(expert, length: experts.down.rows)[rows])
      for (index, place) in places.enumerated() {
        let column = tile[index][..<rows.count]
        if let bias { kernels.add(column, bias, into: column) }
        let weight = mixture.weighsInputs ? 1 : choices.weights[Int(scratch.placed[place])]
        kernels.add(column, times: weight, to: output[Int(scratch.tokens[place])][rows])
      }
    }
  }

  /// Adds some rows of the shared expert's output, if there is one.
  private func addShared(_ rows: Range<Int>) {
    guard let shared = mixture.shared, let hidden = buffers.sharedHidden else { return }
    let (count, tile) = (thread.step.count, scratch.tile.gate)
    shared.down.multiply(rows, team: thread.worker.team, hidden.columns, count: count, into: tile, first: rows.lowerBound)
    for token in 0..<count {
      let weight = mixture.sharedGate == nil ? 1 : logistic(buffers.sharedGates[token][0])
      thread.kernels.add(tile[token][..<rows.count], times: weight, to: thread.buffers.projected[token][rows])
    }
  }
}
