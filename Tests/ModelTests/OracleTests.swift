// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@testable import Generation
@testable import Inference

@Suite("Logits against the truth")
struct OracleTests {
  @Test(
    "A tiny model's logits are as close to the truth as the bound says, on one node and on two",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: Oracles.tiny, [1, 2])
  func tiny(_ name: String, nodes: Int) throws {
    let oracle = try Oracles.tiny(name)
    var options = ModelOptions()
    options.contextLength = 256
    let model = try PackedModel(Oracles.tinyFile(name + ".gguf").path, nodes: nodes).model(options: options)
    let (truth, logits) = (try Oracles.logits(name, "ref"), try model.allLogits(oracle.tokens))
    let ours = divergences(truth, logits, vocabulary: oracle.vocab)
    guard model.configuration.hasExperts else {
      let mean = ours.reduce(0, +) / Double(ours.count)
      let bound = max(1.2 * oracle.llamacpp_vs_ref.mean_kld, 1e-5)
      #expect(mean <= bound, "mean KL \(mean), llama.cpp \(oracle.llamacpp_vs_ref.mean_kld)")
      return
    }
    // If two experts are nearly tied, the other one may be chosen.
    func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
    let theirs = divergences(truth, try Oracles.logits(name, "llamacpp"), vocabulary: oracle.vocab)
    let bound = max(1.2 * median(theirs), 1e-5)
    #expect(median(ours) <= bound, "median KL \(median(ours)), llama.cpp \(median(theirs))")
    let flipped = ours.count { $0 > 10 * bound }
    #expect(flipped <= max(1, ours.count / 20), "\(flipped) of \(ours.count) positions are far from the truth")
  }

  @Test(
    "Gemma 3 270M predicts its oracle's text within 1.2 times llama.cpp's distance",
    .enabled(if: Oracles.folder != nil, Oracles.absence), .enabled(if: Oracles.gemma != nil, Oracles.gemmaAbsence))
  func gemma() throws {
    let oracle = try Oracles.gemmaOracle()
    var options = ModelOptions()
    options.contextLength = 512
    let model = try PackedModel(#require(Oracles.gemma), nodes: 2).model(options: options)
    var (ours, theirs) = (MeanWithError(), MeanWithError())
    try model.append(oracle.tokens, logitsFrom: 0) { position, logits in
      let truth = oracle.positions[position]
      let all = LogProbabilities(logits.span)
      ours.add(Self.divergence(truth.ref, truth.top.map { all[$0] }))
      theirs.add(Self.divergence(truth.ref, truth.llamacpp))
    }
    #expect(ours.count == oracle.tokens.count)
    #expect(ours.mean <= 1.2 * oracle.llamacpp_vs_ref.mean_kld, "mean KL \(ours.mean), llama.cpp \(theirs.mean)")
  }

  /// Returns the divergence over the listed tokens, with the rest counted as one.
  static func divergence(_ p: [Double], _ q: [Double]) -> Double {
    func rest(_ logs: [Double]) -> Double { log(max(1e-30, 1 - logs.reduce(0) { $0 + exp($1) })) }
    return LogProbabilities(values: q + [rest(q)]).divergence(from: LogProbabilities(values: p + [rest(p)]))
  }

  @Test(
    "Gemma 3 270M continues its oracle's prompts greedily until the two best tokens are close",
    .enabled(if: Oracles.folder != nil, Oracles.absence), .enabled(if: Oracles.gemma != nil, Oracles.gemmaAbsence))
  func greedy() throws {
    let oracle = try Oracles.gemmaOracle()
    var options = ModelOptions()
    options.contextLength = 128
    let model = try PackedModel(#require(Oracles.gemma)).model(options: options)
    for (prompt, expected) in oracle.greedy {
      model.truncate(0, to: 0)
      var (next, gap): (Int32, Float) = (0, 0)
      func choose(_ logits: UnsafeBufferPointer<Float>) {
        let best = logits.indices.max { logits[$0] < logits[$1] } ?? 0
        let second = logits.indices.filter { $0 != best }.map { logits[$0] }.max() ?? 0
        (next, gap) = (Int32(best), logits[best] - second)
      }
      try model.append(expected.prompt_ids) { choose($1) }
      for (index, token) in expected.ids.enumerated() {
        // Tokens this close may legitimately change places, and all later tokens with them.
        if next != token, gap < 0.5 { break }
        #expect(next == token, "token \(index) of the answer to '\(prompt)'")
        guard next == token else { break }
        try model.append([next]) { choose($1) }
      }
    }
  }
}
