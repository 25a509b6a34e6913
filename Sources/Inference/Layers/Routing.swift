// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How a token's experts are chosen from the router's scores, and how they are weighted.
struct Routing: Sendable, Equatable {
  let count: Int
  let usedCount: Int
  let gating: ExpertGating
  /// Whether experts are chosen by their scores before the gating function.
  let choosesBeforeGate: Bool
  let normalisesWeights: Bool
  let weightsScale: Float
  /// The number of groups of experts; experts are chosen within the best `usedGroupCount` of them. 1: no groups.
  let groupCount: Int
  let usedGroupCount: Int

  /// Reads the routing; nil if the metadata counts no experts.
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

  /// Returns the gating function for a file that names none.
  private static func unnamedGating(_ reader: MetadataReader, _ architecture: Architecture) -> ExpertGating {
    guard let exception = architecture.gatingException,
      let layerCount = reader.metadata.integer(reader.key("block_count")), exception.layerCounts.contains(layerCount)
    else { return architecture.gating }
    let tokens = reader.metadata.array("tokenizer.ggml.tokens")?.count
    let vocabularySize = tokens ?? reader.metadata.integer(reader.key("vocab_size"))
    return vocabularySize == exception.vocabularySize ? exception.gating : architecture.gating
  }

  /// Room for choosing one token's experts: three rows with a number for each expert.
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

  /// Chooses one token's experts by their scores and weights them. Of equal scores, the lower number wins.
  ///
  /// The chosen experts are distinct whatever the scores, even if they are NaN or infinite.
  ///
  /// - Parameters:
  ///   - bias: Added to the scores.
  ///   - selectionBias: Added to the scores after the gating function, only for choosing experts.
  ///   - ranks: Receives the `usedCount` chosen experts, best first.
  ///   - weights: Receives their weights.
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
    // Minus infinity marks experts that cannot be chosen, so no score may be minus infinity.
    let limit = Float.greatestFiniteMagnitude
    for index in 0..<count where !(selection[index].magnitude <= limit) { selection[index] = selection[index] > 0 ? limit : -limit }
    if groupCount > 1 { keepBestGroups(scratch) }
    rank(selection, into: ranks)
    for rank in 0..<usedCount { weights[rank] = probabilities[Int(ranks[rank])] }
    weigh(weights, kernels)
  }

  /// Weights one token's experts that were chosen elsewhere, in `ranks`.
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
      // At least the smallest normal F16 number, as in the models' training.
      sum = max(sum, 6.103515625e-5)
      for rank in 0..<usedCount { weights[rank] /= sum }
    }
    if weightsScale != 1 {
      for rank in 0..<usedCount { weights[rank] *= weightsScale }
    }
  }

  /// Leaves only the experts of the best groups: those with the greatest sums of their two best scores.
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
      // Finds the worst of the remaining groups (removed ones are NaN). Of equal groups the last is removed, because the first ones
      // are preferred.
      var worst = 0
      for group in 0..<groupCount where groups[worst].isNaN || groups[group] <= groups[worst] { worst = group }
      groups[worst] = .nan
      for index in worst * size..<(worst + 1) * size { selection[index] = -.infinity }
    }
  }

  /// Finds the indices of the best `values`, best first, in one pass that keeps the best so far sorted.
  private func rank(_ values: Row, into ranks: UnsafeMutablePointer<Int32>) {
    for index in 0..<count {
      let value = values[index]
      var place = min(index, usedCount)
      // The last one drops out.
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
