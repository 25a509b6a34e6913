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
  /// The models whose files have such a layer, and others that get one.
  static let models = [
    "deepseek32-5.F16", "glm-dsa-5.F16", "qwen35-5.F16", "qwen35moe-5.F16", "step35-5.F16", "deepseek2-5.F16", "glm4moe-5.F16",
    "mimo2-5.F16", "qwen3next-5.F16",
  ]

  /// Returns a tiny model whose file has a prediction layer, or gets one with weights from other layers.
  ///
  /// The added layer is a copy of the last layer with attention. For mimo2 it is a copy of the first one, which has a dense network, with
  /// queries, keys and values in one tensor, as llama.cpp's graph requires.
  private static func model(_ name: String) throws -> EditedModel {
    var model = try EditedModel(Oracles.tinyFile(name + ".gguf").path)
    guard !model.tensors.contains(where: { $0.name.contains(".nextn.") }) else { return model }
    let isFused = name.hasPrefix("mimo2")
    let layers = model.tensors.compactMap { tensor -> Int? in
      let fields = tensor.name.split(separator: ".")
      return fields[0] == "blk" && fields[2] == "attn_output" ? Int(fields[1]) : nil
    }
    let architecture = try #require(model.metadata.string("general.architecture"))
    let count = try #require(model.metadata.integer("\(architecture).block_count"))
    let source = isFused ? 0 : layers.max() ?? 0
    for entry in model.metadata.entries where entry.key.hasPrefix("\(architecture).") {
      guard case .array(let array) = entry.value, let values = array.integers, values.count == count else { continue }
      model.metadata[entry.key] = .array(MetadataArray(int32s: (values + [values[source]]).map { Int32($0) }))
    }
    model.set("block_count", .uint32(UInt32(count + 1)))
    model.set("nextn_predict_layers", .uint32(1))
    let (old, new) = ("blk.\(source).", "blk.\(count).")
    func copy(_ name: String, as newName: String) throws {
      var tensor = try #require(model[name])
      tensor.name = newName
      model.tensors.append(tensor)
    }
    if isFused {
      var fused = try #require(model["\(old)attn_q.weight"])
      for name in ["attn_k", "attn_v"] {
        let part = try #require(model["\(old)\(name).weight"])
        fused.bytes += part.bytes
        fused.dimensions[1] += part.dimensions[1]
      }
      fused.name = "\(new)attn_qkv.weight"
      model.tensors.append(fused)
    }
    for tensor in model.tensors where tensor.name.hasPrefix(old) {
      let part = tensor.name.dropFirst(old.count)
      if !(isFused && ["attn_q.weight", "attn_k.weight", "attn_v.weight"].contains(part)) {
        try copy(tensor.name, as: "\(new)\(part)")
      }
    }
    var input = try #require(model["token_embd.weight"])
    let length = input.dimensions[0]
    input.bytes = Array(input.bytes[..<(length * length * 4)])
    (input.name, input.dimensions) = ("\(new)nextn.eh_proj.weight", [2 * length, length])
    model.tensors.append(input)
    try copy("blk.0.attn_norm.weight", as: "\(new)nextn.enorm.weight")
    try copy("blk.1.attn_norm.weight", as: "\(new)nextn.hnorm.weight")
    if isFused {
      try copy("blk.2.attn_norm.weight", as: "\(new)layer_output_norm.weight")
    } else {
      try copy("output_norm.weight", as: "\(new)nextn.shared_head_norm.weight")
    }
    return model
  }

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

  /// The results of llama.cpp for the oracles' tokens: the version in the sdist of llama-cpp-python 0.3.36, in a context of type MTP with
  /// keys and values in F32. The last three positions are those of tokens that the layer has predicted itself.
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
    "deepseek2-5.F16": [
      // From the 18th token on, llama.cpp chooses other experts than the truth.
      Likeliest(1, (104, 2.6928), (113, 2.6532), (165, 2.4840), (413, 2.4491)),
      Likeliest(7, (8, 3.3404), (399, 2.8657), (108, 2.6725), (9, 2.6552)),
      Likeliest(14, (163, 2.8930), (362, 2.2561), (167, 2.2368), (358, 2.1141)),
      Likeliest(15, (166, 4.0262), (470, 2.6334), (433, 2.5580), (269, 2.5272)),
      Likeliest(16, (396, 2.6838), (498, 2.5012), (263, 2.3728), (438, 2.3512)),
      Likeliest(17, (428, 2.8776), (251, 2.2667), (330, 2.0971), (182, 1.9821)),
      Likeliest(18, (14, 2.7225), (476, 2.6089), (35, 2.4389), (61, 2.3979)),
    ],
    "glm4moe-5.F16": [
      Likeliest(1, (220, 2.8577), (29, 2.8255), (484, 2.3746), (134, 2.1442)),
      Likeliest(7, (424, 4.1829), (45, 2.7460), (379, 2.5772), (108, 2.5503)),
      Likeliest(22, (390, 2.4771), (378, 2.3426), (436, 2.2976), (329, 2.2976)),
      Likeliest(23, (250, 2.7374), (282, 2.7128), (405, 2.6646), (115, 2.5547)),
      Likeliest(24, (227, 3.2342), (256, 2.5517), (289, 2.5087), (268, 2.4522)),
      Likeliest(25, (330, 2.7454), (505, 2.6984), (467, 2.4974), (117, 2.4516)),
      Likeliest(26, (164, 3.0283), (417, 2.8744), (135, 2.6405), (302, 2.5837)),
    ],
    "mimo2-5.F16": [
      Likeliest(1, (114, 2.5751), (137, 2.5291), (366, 2.5087), (318, 2.5025)),
      Likeliest(7, (56, 2.7986), (238, 2.6485), (74, 2.6395), (432, 2.5663)),
      Likeliest(22, (408, 2.9345), (134, 2.8954), (287, 2.4393), (478, 2.3549)),
      Likeliest(23, (117, 3.3653), (361, 2.7536), (163, 2.4964), (87, 2.3714)),
      Likeliest(24, (237, 2.7049), (254, 2.3263), (102, 2.1580), (279, 2.0739)),
      Likeliest(25, (408, 3.5417), (107, 3.2183), (327, 2.9017), (87, 2.6672)),
      Likeliest(26, (64, 3.1916), (32, 3.1728), (506, 3.1227), (246, 2.5943)),
    ],
    "qwen3next-5.F16": [
      Likeliest(1, (163, 3.0841), (178, 3.0508), (114, 2.9589), (426, 2.8211)),
      Likeliest(7, (408, 3.4433), (287, 3.0947), (385, 2.7633), (185, 2.6479)),
      Likeliest(22, (300, 3.6206), (487, 3.3233), (157, 3.2111), (174, 3.1734)),
      Likeliest(23, (463, 3.0590), (14, 2.4651), (427, 2.3614), (12, 2.3369)),
      Likeliest(24, (422, 3.0777), (119, 2.8187), (468, 2.5769), (365, 2.5539)),
      Likeliest(25, (5, 3.3237), (468, 3.0219), (452, 2.6817), (372, 2.4155)),
      Likeliest(26, (379, 2.8944), (248, 2.7219), (103, 2.4610), (458, 2.2897)),
    ],
  ]

  @Test("Prediction layers predict what llama.cpp's do, from the text and from their own predictions", arguments: models)
  func llamaCpp(_ name: String) throws {
    let model = try Self.model(name).packed().model(options: Self.options)
    let expected = try #require(Self.expected[name])
    let length = expected[expected.count - 1].position - 2
    var tokens = Array(try Oracles.tiny(name).tokens[..<length])
    for expected in expected {
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

  /// Returns one guess and those that follow from it, after the first tokens.
  private func guesses(_ model: Model, _ tokens: [Int32], after count: Int) throws -> [Float] {
    let kept = model.truncate(0, to: count)
    if kept < count { try model.append(Array(tokens[kept..<count])) { _, _ in } }
    var all: [Float] = []
    for offset in 0..<3 { try model.predict(tokens[count + offset], offset: offset) { all.append(contentsOf: $0) } }
    return all
  }

  @Test("Prediction layers change no logits, and predict the same bits however the work is divided", arguments: models)
  func divisions(_ name: String) throws {
    let tokens = (0..<70).map { Int32($0 * 37 % 509 + 1) }
    let edited = try Self.model(name)
    var plain = Self.options
    plain.predicts = false
    let logits = try edited.packed().model(options: plain).allLogits(tokens)
    var expected: [Float]?
    for nodes in 1...3 {
      for placement in [PackManifest.Placement.shard, .mirror] {
        let pack = try edited.packed(nodes: nodes, placement: placement)
        for (threads, batch) in [(1, 1), (1, 7), (2, 64), (3, 512)] {
          var options = Self.options
          options.batchSize = batch
          let model = try pack.model(threads: threads, options: options)
          #expect(try model.allLogits(tokens) == logits)
          var found: [Float] = []
          // The states of the tokens before are kept, or were dropped.
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

  /// Returns a model in which some matrices give zeros, and the prediction layer passes on one half of its input.
  private func madeUp(_ name: String, passingOn half: Int, silencing isSilent: (String) -> Bool) throws -> EditedModel {
    var model = try Self.model(name)
    let length = model.metadata.integer("\(model.metadata.string("general.architecture") ?? "").embedding_length") ?? 0
    let embedding = try #require(model["token_embd.weight"])
    let head = model["output.weight"] ?? embedding
    for index in model.tensors.indices {
      let name = model.tensors[index].name
      if isSilent(name), ["attn_output", "ffn_down", "ssm_out"].contains(where: { name.contains($0) }) {
        model.tensors[index].bytes = Array(repeating: 0, count: model.tensors[index].bytes.count)
      } else if name.contains("enorm") || name.contains("hnorm") || name.contains("head_norm")
        || name.hasSuffix("output_norm.weight")
      {
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

  @Test("Prediction layers read the state of the token before", arguments: models, [1, 2])
  func hidden(_ name: String, nodes: Int) throws {
    let last = "blk.\(try Self.layer(name))."
    // A layer that passes it on predicts what the model predicted.
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

  /// Returns the number of the prediction layer.
  private static func layer(_ name: String) throws -> Int {
    try ModelConfiguration(model(name).metadata).layerCount
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

  @Test("Prediction layers propose tokens that come true where they must agree with the model", arguments: models)
  func agreeing(_ name: String) throws {
    // All layers, including the prediction layer, pass on the embedding.
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

  @Test("Prediction layers change no answer, greedy or sampled, whatever they propose", arguments: models, [0, 4])
  func answers(_ name: String, interval: Int) throws {
    let packed = try Self.model(name).packed(nodes: 2)
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

  @Test("Prediction layers are refused by name if the file or the graph has none")
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
