// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How a token's experts are chosen from the router's scores, and weighed.
struct Routing: Sendable, Equatable {
  let count: Int
  let usedCount: Int
  let gating: ExpertGating
  /// Experts are chosen by their scores before the gate.
  let choosesBeforeGate: Bool
  let normalisesWeights: Bool
  let weightsScale: Float
  /// Experts are chosen within the best of these groups; 1: no groups.
  let groupCount: Int
  let usedGroupCount: Int

  /// Nil where the metadata counts no experts.
  init?(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) {
    guard let count = try reader.size("expert_count"), count > 0 else { return nil }
    let usedCount = try reader.requiredSize("expert_used_count")
    guard usedCount <= count, count <= 65536 else {
      throw .badValue(key: reader.key("expert_used_count"), value: "\(usedCount)", expected: "at most expert_count, \(count)")
    }
    self.count = count
    self.usedCount = usedCount
    if let number = try reader.size("expert_gating_func"), number != 0 {
      guard let gating = ExpertGating(rawValue: number) else {
        throw .badValue(key: reader.key("expert_gating_func"), value: "\(number)", expected: "1 to 4")
      }
      self.gating = gating
    } else {
      gating = Self.unnamedGating(reader, architecture)
    }
    choosesBeforeGate = architecture.choosesBeforeGate
    let saysNorm = architecture.readsExpertWeightsNorm ? try reader.flag("expert_weights_norm") : nil
    normalisesWeights = saysNorm ?? architecture.normalisesExpertWeights
    let scale = try reader.number("expert_weights_scale") ?? 1
    weightsScale = scale == 0 ? 1 : scale
    groupCount = max(1, try reader.size("expert_group_count") ?? 1)
    usedGroupCount = groupCount == 1 ? 1 : try reader.requiredSize("expert_group_used_count")
    guard count % groupCount == 0, usedGroupCount <= groupCount, usedCount <= count / groupCount * usedGroupCount else {
      throw .badValue(
        key: reader.key("expert_group_count"), value: "\(groupCount) with \(usedGroupCount) used",
        expected: "groups that divide \(count) experts and hold \(usedCount)")
    }
  }

  /// The gate of a file that names none.
  private static func unnamedGating(_ reader: MetadataReader, _ architecture: Architecture) -> ExpertGating {
    guard let exception = architecture.gatingException,
      let layerCount = reader.metadata.integer(reader.key("block_count")), exception.layerCounts.contains(layerCount)
    else { return architecture.gating }
    let tokens = reader.metadata.array("tokenizer.ggml.tokens")?.count
    let vocabularySize = tokens ?? reader.metadata.integer(reader.key("vocab_size"))
    return vocabularySize == exception.vocabularySize ? exception.gating : architecture.gating
  }

  /// What choosing one token's experts needs: a number for each expert, three times.
  struct Scratch {
    let probabilities: Row
    let selection: Row
    let groups: Row

    @inline(__always)
    init(_ arena: inout Arena, _ routing: Routing) {
      probabilities = arena.row(routing.count)
      selection = arena.row(routing.count)
      groups = arena.row(routing.count)
    }
  }

  /// Chooses one token's experts by their scores and weighs them; equal scores go to the lower number.
  ///
  /// Whatever the scores, NaN and infinities included, the chosen ones are distinct.
  ///
  /// - Parameters:
  ///   - bias: Added to the scores.
  ///   - selectionBias: Added to the scores after the gate, for choosing experts, not for weighing them.
  ///   - ranks: The chosen ones, `usedCount` of them.
  ///   - weights: Theirs.
  func choose(
    _ scores: Row, bias: Row?, selectionBias: Row?, _ kernels: Kernels, _ scratch: Scratch, ranks: UnsafeMutablePointer<Int32>,
    weights: Row
  ) {
    let (probabilities, selection) = (scratch.probabilities, scratch.selection)
    if let bias { kernels.add(scores, bias, into: probabilities) } else { probabilities.copy(scores) }
    if choosesBeforeGate { selection.copy(probabilities) }
    gate(probabilities, kernels)
    if !choosesBeforeGate { selection.copy(probabilities) }
    if let selectionBias { kernels.add(selection, selectionBias, into: selection) }
    // Minus infinity marks those that cannot be chosen, so nothing else may be it.
    let limit = Float.greatestFiniteMagnitude
    for index in 0..<count where !(selection[index].magnitude <= limit) { selection[index] = selection[index] > 0 ? limit : -limit }
    if groupCount > 1 { keepBestGroups(scratch) }
    rank(selection, into: ranks)
    for rank in 0..<usedCount { weights[rank] = probabilities[Int(ranks[rank])] }
    weigh(weights, kernels)
  }

  /// Weighs one token's experts, which something else has chosen.
  func weigh(
    _ scores: Row, bias: Row?, _ kernels: Kernels, _ scratch: Scratch, ranks: UnsafeMutablePointer<Int32>, weights: Row
  ) {
    let probabilities = scratch.probabilities
    if let bias { kernels.add(scores, bias, into: probabilities) } else { probabilities.copy(scores) }
    gate(probabilities, kernels)
    for rank in 0..<usedCount { weights[rank] = probabilities[Int(ranks[rank])] }
    weigh(weights, kernels)
  }

  private func gate(_ scores: Row, _ kernels: Kernels) {
    switch gating {
    case .softmax: kernels.softmax(scores)
    case .sigmoid: for index in 0..<count { scores[index] = logistic(scores[index]) }
    case .rootSoftplus: for index in 0..<count { scores[index] = Float(softplus(Double(scores[index])).squareRoot()) }
    case .softmaxOfChosen: break
    }
  }

  private func weigh(_ weights: Row, _ kernels: Kernels) {
    if gating == .softmaxOfChosen { kernels.softmax(weights) }
    if normalisesWeights {
      var sum: Float = 0
      for rank in 0..<usedCount { sum += weights[rank] }
      // No smaller than the smallest normal F16, as the models were trained with.
      sum = max(sum, 6.103515625e-5)
      for rank in 0..<usedCount { weights[rank] /= sum }
    }
    if weightsScale != 1 {
      for rank in 0..<usedCount { weights[rank] *= weightsScale }
    }
  }

  /// Leaves only the experts of the groups whose two best scores add up to most.
  private func keepBestGroups(_ scratch: Scratch) {
    let size = count / groupCount
    let (selection, groups) = (scratch.selection, scratch.groups)
    for group in 0..<groupCount {
      var (first, second) = (-Float.infinity, -Float.infinity)
      for index in group * size..<(group + 1) * size {
        let score = selection[index]
        if score > first { (first, second) = (score, first) } else if score > second { second = score }
      }
      groups[group] = size > 1 ? first + second : first
    }
    for _ in 0..<groupCount - usedGroupCount {
      // The worst of those left, which are not NaN; of equals the last, as the first ones are preferred.
      var worst = 0
      for group in 0..<groupCount where groups[worst].isNaN || groups[group] <= groups[worst] { worst = group }
      groups[worst] = .nan
      for index in worst * size..<(worst + 1) * size { selection[index] = -.infinity }
    }
  }

  /// The best of `values`, in order: one pass that keeps the best so far sorted.
  private func rank(_ values: Row, into ranks: UnsafeMutablePointer<Int32>) {
    for index in 0..<count {
      let value = values[index]
      var place = min(index, usedCount)
      // The last one is pushed out.
      if place == usedCount {
        guard value > values[Int(ranks[usedCount - 1])] else { continue }
        place -= 1
      }
      while place > 0, value > values[Int(ranks[place - 1])] {
        ranks[place] = ranks[place - 1]
        place -= 1
      }
      ranks[place] = Int32(index)
    }
  }
}
