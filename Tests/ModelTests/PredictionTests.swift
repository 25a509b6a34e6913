// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import PackFormat
import Testing

@testable import Generation
@testable import Inference
@testable import Tokenization

@Suite("Prediction layers", .enabled(if: Oracles.folder != nil, Oracles.absence))
struct PredictionTests {
  static let models = ["deepseek32-5.F16", "glm-dsa-5.F16", "qwen35-5.F16", "qwen35moe-5.F16", "step35-5.F16"]

  static let options: ModelOptions = {
    var options = ModelOptions()
    (options.contextLength, options.tentativeCount, options.predicts) = (144, Drafter.mostTokensOfState, true)
    return options
  }()

  /// The likeliest tokens that llama.cpp's own graph of the layer gives at a position, with their logits.
  struct Likeliest {
    var position: Int
    var logits: [(token: Int, logit: Float)]

    init(_ position: Int, _ logits: (token: Int, logit: Float)...) { (self.position, self.logits) = (position, logits) }
  }

  /// llama.cpp as in the sdist of llama-cpp-python 0.3.36, in a context of type MTP with keys and values in F32, of the oracles' tokens;
  /// the last three positions are those of tokens that the layer has predicted itself.
  static let expected: [String: [Likeliest]] = [
    "deepseek32-5.F16": [
      Likeliest(1, (315, 3.0858), (237, 2.7773), (163, 2.2006), (13, 2.1437)),
      Likeliest(7, (304, 2.9441), (138, 2.7000), (128, 2.6475), (416, 2.5098)),
      Likeliest(30, (99, 3.3823), (305, 3.2802), (445, 2.9823), (157, 2.8500)),
      Likeliest(31, (146, 3.0045), (275, 2.7732), (385, 2.5594), (289, 2.2244)),
      Likeliest(32, (196, 2.8448), (349, 2.6615), (125, 2.6081), (480, 2.5726)),
      Likeliest(33, (412, 2.3704), (183, 2.3079), (35, 2.2227), (506, 2.2110)),
      Likeliest(34, (153, 3.1378), (88, 2.8527), (451, 2.4225), (233, 2.3671)),
    ],
    "glm-dsa-5.F16": [
      Likeliest(1, (115, 3.5431), (350, 3.0033), (238, 2.8822), (336, 2.8295)),
      Likeliest(7, (296, 3.6072), (509, 2.6775), (131, 2.5085), (142, 2.4425)),
      Likeliest(30, (185, 2.8807), (207, 2.7218), (83, 2.6973), (120, 2.6723)),
      Likeliest(31, (403, 3.3034), (206, 3.1540), (424, 2.7472), (282, 2.6488)),
      Likeliest(32, (135, 2.3800), (488, 2.1503), (209, 2.1452), (511, 1.9586)),
      Likeliest(33, (148, 3.0268), (489, 2.7221), (453, 2.5416), (506, 2.5096)),
      Likeliest(34, (276, 2.9659), (1, 2.6548), (159, 2.5041), (482, 2.3947)),
    ],
    "qwen35-5.F16": [
      Likeliest(1, (41, 2.9696), (495, 2.6661), (141, 2.5431), (423, 2.4888)),
      Likeliest(7, (487, 3.1139), (410, 2.8810), (88, 2.7284), (194, 2.6917)),
      Likeliest(78, (94, 2.7176), (40, 2.5716), (462, 2.5414), (474, 2.5146)),
      Likeliest(79, (26, 3.5547), (329, 3.5245), (435, 3.2261), (179, 2.4622)),
      Likeliest(80, (49, 3.7005), (202, 2.8997), (350, 2.6608), (130, 2.6400)),
      Likeliest(81, (137, 2.6643), (209, 2.6484), (322, 2.6069), (282, 2.5074)),
      Likeliest(82, (282, 2.5047), (316, 2.4963), (303, 2.3776), (57, 2.2950)),
    ],
    "qwen35moe-5.F16": [
      Likeliest(1, (88, 3.0685), (162, 2.8828), (73, 2.7451), (316, 2.7157)),
      Likeliest(7, (437, 3.4818), (199, 2.9673), (152, 2.9624), (408, 2.8197)),
      Likeliest(78, (290, 2.9079), (257, 2.7985), (508, 2.6488), (275, 2.5693)),
      Likeliest(79, (263, 3.3612), (360, 3.2835), (362, 2.6380), (140, 2.5440)),
      Likeliest(80, (122, 3.2823), (489, 2.9698), (320, 2.8074), (159, 2.7696)),
      Likeliest(81, (362, 2.6988), (452, 2.6726), (357, 2.6540), (469, 2.5860)),
      Likeliest(82, (84, 3.1891), (1, 2.7060), (375, 2.6748), (482, 2.6498)),
    ],
    "step35-5.F16": [
      Likeliest(1, (463, 2.9129), (117, 2.6986), (129, 2.6438), (486, 2.3838)),
      Likeliest(7, (17, 2.9784), (423, 2.5467), (278, 2.4700), (140, 2.4364)),
      Likeliest(30, (373, 2.9696), (110, 2.7330), (156, 2.5716), (382, 2.5241)),
      Likeliest(31, (45, 2.9709), (398, 2.8806), (280, 2.7591), (344, 2.7179)),
      Likeliest(32, (428, 2.8915), (273, 2.8210), (86, 2.7010), (143, 2.4209)),
      Likeliest(33, (151, 3.1708), (446, 2.8587), (458, 2.8189), (368, 2.4798)),
      Likeliest(34, (268, 3.1580), (200, 2.9327), (183, 2.7633), (369, 2.6722)),
    ],
  ]

  @Test("predict what llama.cpp's do, from the text and from what they have predicted", arguments: models)
  func llamaCpp(_ name: String) throws {
    let model = try PackedModel(Oracles.tinyFile(name + ".gguf").path).model(options: Self.options)
    var tokens = try Oracles.tiny(name).tokens
    let length = tokens.count
    for expected in try #require(Self.expected[name]) {
      let known = min(expected.position, length - 1)
      model.truncate(0, to: 0)
      try model.append(Array(tokens[..<known])) { _, _ in }
      var logits: [Float] = []
      for position in known...expected.position {
        try model.predict(tokens[position], offset: position - known) { logits = Array($0) }
      }
      let likeliest = try #require(logits.indices.max { logits[$0] < logits[$1] })
      #expect(likeliest == expected.logits[0].token, "position \(expected.position)")
      for (token, logit) in expected.logits { #expect(abs(logits[token] - logit) < 0.01, "position \(expected.position)") }
      if expected.position >= length - 1 { tokens.append(Int32(likeliest)) }
    }
  }

  /// One guess and those that follow from it, after some of the tokens.
  private func guesses(_ model: Model, _ tokens: [Int32], after count: Int) throws -> [Float] {
    let kept = model.truncate(0, to: count)
    if kept < count { try model.append(Array(tokens[kept..<count])) { _, _ in } }
    var all: [Float] = []
    for offset in 0..<3 { try model.predict(tokens[count + offset], offset: offset) { all.append(contentsOf: $0) } }
    return all
  }

  @Test("change no logits, and predict the same bits however the work is divided", arguments: models)
  func divisions(_ name: String) throws {
    let tokens = (0..<70).map { Int32($0 * 37 % 509 + 1) }
    let file = try Oracles.tinyFile(name + ".gguf").path
    var plain = Self.options
    plain.predicts = false
    let logits = try PackedModel(file).model(options: plain).allLogits(tokens)
    var expected: [Float]?
    for nodes in 1...3 {
      for placement in [PackManifest.Placement.shard, .mirror] {
        let pack = try PackedModel(file, nodes: nodes, placement: placement)
        for (threads, batch) in [(1, 1), (1, 7), (2, 64), (3, 512)] {
          var options = Self.options
          options.batchSize = batch
          let model = try pack.model(threads: threads, options: options)
          #expect(try model.allLogits(tokens) == logits)
          var found: [Float] = []
          // What became of the tokens in front is kept, or was forgotten.
          for count in [67, 66, 60, 5, 1, 0] { found += try guesses(model, tokens, after: count) }
          if let expected {
            let isSame = found.elementsEqual(expected) { $0.bitPattern == $1.bitPattern }
            #expect(isSame, "\(nodes) nodes, \(placement.rawValue), \(threads) threads, \(batch) at a time")
          } else {
            #expect(found.contains { $0 != 0 } && found.allSatisfy(\.isFinite))
            expected = found
          }
        }
      }
    }
  }

  /// A model in which some matrices give zeros, and the prediction layer reads one half of its input as it is.
  private func madeUp(_ name: String, passingOn half: Int, silencing isSilent: (String) -> Bool) throws -> EditedModel {
    var model = try EditedModel(Oracles.tinyFile(name + ".gguf").path)
    let length = model.metadata.integer("\(model.metadata.string("general.architecture") ?? "").embedding_length") ?? 0
    let (embedding, head) = (try #require(model["token_embd.weight"]), try #require(model["output.weight"]))
    for index in model.tensors.indices {
      let name = model.tensors[index].name
      if isSilent(name), ["attn_output", "ffn_down", "ssm_out"].contains(where: { name.contains($0) }) {
        model.tensors[index].bytes = Array(repeating: 0, count: model.tensors[index].bytes.count)
      } else if name.contains("enorm") || name.contains("hnorm") || name.contains("head_norm") || name == "output_norm.weight" {
        model.tensors[index].bytes = Array(repeating: Float(1), count: length).withUnsafeBytes { Array($0) }
      } else if name.contains("eh_proj") {
        let places = (0..<length * length * 2).map { $0 % (2 * length) == $0 / (2 * length) + half * length }
        model.tensors[index].bytes = places.flatMap { $0 ? [0, 0x3c] : [0, 0] }
      } else if name.contains("shared_head_head") {
        model.tensors[index].bytes = head.bytes
      } else if name.contains("embed_tokens") {
        model.tensors[index].bytes = embedding.bytes
      }
    }
    return model
  }

  @Test("read what became of the token in front", arguments: models, [1, 2])
  func hidden(_ name: String, nodes: Int) throws {
    let last = "blk.\(try Self.layer(name))."
    // A layer that passes it on predicts what the model has predicted.
    let packed = try madeUp(name, passingOn: 1) { $0.hasPrefix(last) }.packed(nodes: nodes)
    let model = try packed.model(threads: 2, options: Self.options)
    let tokens = (0..<90).map { Int32($0 * 37 % 509 + 1) }
    let logits = try model.allLogits(tokens)
    let vocabulary = model.vocabularySize
    for count in [90, 89, 80, 70] {
      let kept = model.truncate(0, to: count)
      if kept < count { try model.append(Array(tokens[kept..<count])) { _, _ in } }
      var found: [Float] = []
      try model.predict(3) { found = Array($0) }
      let expected = logits[(count - 1) * vocabulary..<count * vocabulary]
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 0.02 }, "after \(count)")
    }
  }

  /// The number of the prediction layer.
  private static func layer(_ name: String) throws -> Int {
    try ModelConfiguration(GGUFModel.open(Oracles.tinyFile(name + ".gguf").path).metadata).layerCount
  }

  private func answer(
    _ model: Model, _ prompt: [Int32], _ options: SamplingOptions, _ tokenizer: Tokenizer, drafts: Bool
  ) throws -> GenerationResult {
    model.truncate(0, to: 0)
    var generator = Generator(model, tokenizer)
    (generator.maximumTokens, generator.ignoresEnd) = (60, true)
    generator.drafter = drafts ? try Drafter(.predictionLayer, for: model) : nil
    var sampler = Sampler(options, vocabularySize: model.vocabularySize)
    return try generator.run(prompt: prompt, sampler: &sampler, isInterrupted: { false }) { _, _ in }
  }

  @Test("propose what comes true where they must agree with the model", arguments: models)
  func agreeing(_ name: String) throws {
    // All layers pass on the embedding, and so does the prediction layer.
    let packed = try madeUp(name, passingOn: 0) { _ in true }.packed(nodes: 2)
    let tokenizer = try Tokenizer(metadata: packed.pack.metadata)
    let model = try packed.model(options: Self.options)
    for sampling in [SamplingOptions.greedy, SamplingOptions(temperature: 0.7, topK: 3, seed: 4)] {
      let plain = try answer(model, [5, 17, 100], sampling, tokenizer, drafts: false)
      let drafted = try answer(model, [5, 17, 100], sampling, tokenizer, drafts: true)
      #expect(drafted.tokens == plain.tokens)
      let count = try #require(drafted.draft)
      if sampling.temperature == 0 {
        #expect(count.accepted == count.proposed && count.acceptedPerStep > 3, "\(count)")
      } else {
        #expect(count.accepted > 0 && count.accepted < count.proposed, "\(count)")
      }
    }
  }

  @Test("change no answer, greedy or sampled, whatever they propose", arguments: models, [0, 4])
  func answers(_ name: String, interval: Int) throws {
    let packed = try PackedModel(Oracles.tinyFile(name + ".gguf").path, nodes: 2)
    let tokenizer = try Tokenizer(metadata: packed.pack.metadata)
    var options = Self.options
    options.checkpointInterval = interval
    let model = try packed.model(options: options)
    var proposed = 0
    for (number, prompt) in [[5, 17, 100], (0..<80).map { $0 * 37 % 509 + 1 } as [Int32]].enumerated() {
      for sampling in [SamplingOptions.greedy, SamplingOptions(temperature: 0.8, seed: UInt64(number))] {
        let plain = try answer(model, prompt, sampling, tokenizer, drafts: false)
        let drafted = try answer(model, prompt, sampling, tokenizer, drafts: true)
        #expect(drafted.tokens == plain.tokens && drafted.reason == plain.reason)
        proposed += drafted.draft?.proposed ?? 0
      }
    }
    #expect(proposed > 20)
  }

  @Test("are refused by name where the file or the graph has none")
  func refused() throws {
    func configuration(_ name: String, _ key: String? = nil) throws -> ModelConfiguration {
      var model = try EditedModel(Oracles.tinyFile(name + ".gguf").path)
      if let key { model.set(key, .uint32(1)) }
      return try ModelConfiguration(model.metadata, predicts: true)
    }
    #expect(throws: ModelError.cannotPredict(architecture: "gemma2", hasLayers: false)) { try configuration("gemma2-5.F16") }
    #expect(throws: ModelError.cannotPredict(architecture: "deepseek4", hasLayers: true)) {
      try configuration("deepseek4-5.F16", "nextn_predict_layers")
    }
    var model = try EditedModel(Oracles.tinyFile("step35-5.F16.gguf").path)
    model.remove { $0.contains(".nextn.eh_proj") }
    #expect(throws: ModelError.missingTensor(name: "blk.7.nextn.eh_proj.weight")) {
      try model.packed().model(options: Self.options)
    }
    let plain = try PackedModel(Oracles.tinyFile("step35-5.F16.gguf").path).model()
    #expect(throws: DraftError.predictsNothing) { try Drafter(.predictionLayer, for: plain) }
  }
}
