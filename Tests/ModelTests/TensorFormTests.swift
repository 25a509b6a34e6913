// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import Testing

@testable import Generation
@testable import Inference

@Suite("Tensors in the forms that converters write them")
struct TensorFormTests {
  private func isSame(_ a: [Float], _ b: [Float]) -> Bool { a.elementsEqual(b) { $0.bitPattern == $1.bitPattern } }

  /// Returns the fixture with all of its matrices in F32, so that rows of any types can be combined.
  private func plain(_ name: String) throws -> EditedModel {
    var model = try EditedModel(fixture: name)
    var random = SplitMix64(seed: 9)
    for index in model.tensors.indices where model.tensors[index].type != .f32 {
      let count = model.tensors[index].dimensions.reduce(1, *)
      let values = (0..<count).map { _ in Float.random(in: -0.1...0.1, using: &random) }
      (model.tensors[index].type, model.tensors[index].bytes) = (.f32, values.withUnsafeBytes { Array($0) })
    }
    return model
  }

  @Test("Queries, keys and values in one tensor compute the same as separate tensors", arguments: [1, 2, 3])
  func fusedAttention(nodes: Int) throws {
    let apart = try plain("llama-tiny")
    var fused = apart
    for layer in 0..<2 {
      let parts = try ["q", "k", "v"].map { try #require(apart["blk.\(layer).attn_\($0).weight"]) }
      fused.remove { name in parts.contains { $0.name == name } }
      fused.tensors.append(
        .init(
          name: "blk.\(layer).attn_qkv.weight", type: .f32,
          dimensions: [parts[0].dimensions[0], parts.reduce(0) { $0 + $1.dimensions[1] }], bytes: parts.flatMap(\.bytes)))
    }
    #expect(isSame(try fused.logits(nodes: nodes), try apart.logits()))
  }

  @Test("Gate and up of all experts in one tensor compute the same as separate tensors", arguments: [1, 2, 3])
  func fusedExperts(nodes: Int) throws {
    let apart = try plain("qwen3moe-tiny")
    var fused = apart
    for layer in 0..<2 {
      let gate = try #require(apart["blk.\(layer).ffn_gate_exps.weight"])
      let up = try #require(apart["blk.\(layer).ffn_up_exps.weight"])
      fused.remove { $0 == gate.name || $0 == up.name }
      let count = gate.dimensions[2]
      fused.tensors.append(
        .init(
          name: "blk.\(layer).ffn_gate_up_exps.weight", type: .f32,
          dimensions: [gate.dimensions[0], 2 * gate.dimensions[1], count],
          bytes: (0..<count).flatMap { gate.part($0, of: count) + up.part($0, of: count) }))
    }
    #expect(isSame(try fused.logits(nodes: nodes), try apart.logits()))
  }

  @Test("A tensor for each expert computes the same as the stack of them", arguments: [1, 2])
  func unstackedExperts(nodes: Int) throws {
    let stacked = try plain("qwen3moe-tiny")
    var apart = stacked
    apart.remove { $0.contains("_exps") }
    for tensor in stacked.tensors where tensor.name.contains("_exps") {
      let count = tensor.dimensions[2]
      for expert in 0..<count {
        let name = tensor.name.replacing("_exps", with: ".\(expert)")
        apart.tensors.append(
          .init(name: name, type: .f32, dimensions: Array(tensor.dimensions.prefix(2)), bytes: tensor.part(expert, of: count)))
      }
    }
    #expect(isSame(try apart.logits(nodes: nodes), try stacked.logits()))
  }

  @Test("A scale next to a matrix multiplies it", arguments: ["blk.0.ffn_down", "blk.1.attn_k", "output", "blk.0.attn_output"])
  func scale(name: String) throws {
    let plain = try plain("llama-tiny")
    guard let matrix = plain["\(name).weight"] else { return #expect(name == "output", "the embedding is the output") }
    var scaled = plain
    scaled.add("\(name).scale", [0.25])
    var folded = plain
    let index = try #require(folded.tensors.firstIndex { $0.name == matrix.name })
    let values = matrix.bytes.withUnsafeBytes { $0.bindMemory(to: Float.self).map { $0 * 0.25 } }
    folded.tensors[index].bytes = values.withUnsafeBytes { Array($0) }
    // A quarter is exact.
    #expect(isSame(try scaled.logits(), try folded.logits()))
    #expect(!isSame(try scaled.logits(), try plain.logits()))
  }

  @Test("A scale for each expert multiplies that expert")
  func expertScales() throws {
    let plain = try plain("qwen3moe-tiny")
    let name = "blk.0.ffn_down_exps"
    let index = try #require(plain.tensors.firstIndex { $0.name == "\(name).weight" })
    let count = plain.tensors[index].dimensions[2]
    let factors = (0..<count).map { Float(sign: .plus, exponent: $0 % 3 - 1, significand: 1) }
    var (scaled, folded) = (plain, plain)
    scaled.add("\(name).scale", factors)
    folded.tensors[index].bytes = (0..<count).flatMap { expert in
      plain.tensors[index].part(expert, of: count).withUnsafeBytes { $0.bindMemory(to: Float.self).map { $0 * factors[expert] } }
        .withUnsafeBytes { Array($0) }
    }
    #expect(isSame(try scaled.logits(), try folded.logits()))
  }

  @Test("Biases that a model leaves out count as zero", arguments: [1, 2])
  func absentBiases(nodes: Int) throws {
    // Qwen 2 differs from Llama in the biases of its projections, and in which halves RoPE rotates.
    var absent = try plain("llama-tiny")
    for entry in absent.metadata.entries where entry.key.hasPrefix("llama.") {
      absent.metadata["qwen2." + entry.key.dropFirst("llama.".count)] = entry.value
    }
    absent.metadata["general.architecture"] = .text("qwen2")
    var (zero, other) = (absent, absent)
    for layer in 0..<2 {
      for name in ["attn_q", "attn_k", "attn_v"] {
        let rows = try #require(absent["blk.\(layer).\(name).weight"]).dimensions[1]
        zero.add("blk.\(layer).\(name).bias", Array(repeating: 0, count: rows))
        other.add("blk.\(layer).\(name).bias", Array(repeating: 0.5, count: rows))
      }
    }
    #expect(isSame(try absent.logits(nodes: nodes), try zero.logits()))
    #expect(!isSame(try absent.logits(), try other.logits()))
  }

  @Test("Factors that divide the frequencies of RoPE have the same effect as scaling", arguments: [Float(1), 2, 4])
  func rotaryFactors(factor: Float) throws {
    let plain = try EditedModel(fixture: "llama-tiny")
    let pairs = (plain.metadata.integer("llama.rope.dimension_count") ?? 0) / 2
    var (divided, scaled) = (plain, plain)
    divided.add("rope_freqs.weight", Array(repeating: factor, count: pairs))
    scaled.set("rope.scaling.type", .text("linear"))
    scaled.set("rope.scaling.factor", .float32(factor))
    #expect(isSame(try divided.logits(), try scaled.logits()))
    #expect(isSame(try divided.logits(), try plain.logits()) == (factor == 1))
  }

  @Test("A norm of only the queries, or only the keys, is applied", arguments: ["attn_q_norm", "attn_k_norm"])
  func singleNorm(name: String) throws {
    let plain = try EditedModel(fixture: "llama-tiny")
    let length = plain.metadata.integer("llama.attention.key_length") ?? 0
    var normalised = plain
    for layer in 0..<2 { normalised.add("blk.\(layer).\(name).weight", Array(repeating: 3, count: length)) }
    #expect(!isSame(try normalised.logits(), try plain.logits()))
  }

  @Test("The width of experts comes from their tensors if the metadata does not state it")
  func expertWidth() throws {
    let given = try EditedModel(fixture: "qwen3moe-tiny")
    var missing = given
    missing.metadata = GGUFMetadata()
    for entry in given.metadata.entries where !entry.key.hasSuffix("feed_forward_length") {
      missing.metadata[entry.key] = entry.value
    }
    #expect(isSame(try missing.logits(), try given.logits()))
  }

  @Test("A size given for each layer means the same as the single size", arguments: ["llama-tiny", "qwen3moe-tiny"])
  func sizesByLayer(name: String) throws {
    let single = try EditedModel(fixture: name)
    var many = single
    for key in ["feed_forward_length", "expert_feed_forward_length", "attention.head_count", "attention.head_count_kv"] {
      let architecture = single.metadata.string("general.architecture") ?? ""
      guard let size = single.metadata.integer("\(architecture).\(key)") else { continue }
      many.set(key, .array(MetadataArray(int32s: [Int32(size), Int32(size)])))
    }
    #expect(isSame(try many.logits(), try single.logits()))
  }
}

@Suite("What a graph does not compute is refused by name")
struct RefusedModelTests {
  private func refusal(_ model: EditedModel) throws -> String {
    let error = #expect(throws: ModelError.self) { try model.logits() }
    let text = error?.description ?? ""
    #expect(!text.contains("\n"))
    return text
  }

  @Test(
    "A tensor that no part of the graph reads is refused by name",
    arguments: [
      "blk.0.attn_sub_norm.weight", "blk.1.post_attention_norm.weight", "blk.0.attn_q_norm.bias", "blk.1.something_new.weight",
      "per_layer_model_proj.weight", "blk.0.ffn_norm.scale",
    ])
  func unusedTensor(name: String) throws {
    var model = try EditedModel(fixture: "llama-tiny")
    model.add(name, Array(repeating: 1, count: 64))
    #expect(try refusal(model).contains(name))
  }

  @Test("Names that are not of a weight's form, and prediction layers, are ignored")
  func markers() throws {
    let plain = try EditedModel(fixture: "llama-tiny")
    var marked = plain
    marked.add("a_scalar", [1])
    marked.set("block_count", .uint32(3))
    marked.set("nextn_predict_layers", .uint32(1))
    marked.add("blk.2.nextn.eh_proj.weight", [1, 2])
    #expect(try marked.logits() == plain.logits())
  }

  @Test(
    "A key that changes what is computed is refused by name, unless its value means off",
    arguments: [
      ("logit_scale", MetadataValue.float32(3), MetadataValue.float32(1)), ("residual_scale", .float32(0.5), .float32(1)),
      ("attn_logit_softcapping", .float32(2), .float32(0)), ("attention.temperature_scale", .float32(5), .float32(0)),
      ("embedding_scale", .float32(2), .float32(0)), ("use_parallel_residual", .bool(true), .bool(false)),
      ("attention.causal", .bool(false), .bool(true)), ("full_attention_interval", .uint32(4), .uint32(1)),
      ("swiglu_clamp_exp", .array(MetadataArray(floats: [0, 7])), .array(MetadataArray(floats: [0, 0]))),
      ("attention.key_length_swa", .uint32(64), .uint32(32)),
    ])
  func unsupportedKey(name: String, value: MetadataValue, off: MetadataValue) throws {
    let plain = try EditedModel(fixture: "llama-tiny")
    var changed = plain
    changed.set(name, value)
    #expect(try refusal(changed).contains("llama.\(name)"))
    let isWindowSize = name.hasSuffix("_swa")
    changed.set(name, isWindowSize ? .uint32(UInt32(plain.metadata.integer("llama.attention.key_length") ?? 0)) : off)
    #expect(try changed.logits() == plain.logits())
  }

  @Test("The two halves of a compressed cache in one tensor, as older converters wrote them, are refused by name")
  func oldLatentForm() throws {
    var model = try EditedModel(Oracles.tinyFile("deepseek2-5.F16.gguf").path)
    let half = try #require(model["blk.0.attn_k_b.weight"])
    model.remove { $0.hasSuffix("attn_k_b.weight") || $0.hasSuffix("attn_v_b.weight") }
    model.tensors.append(.init(name: "blk.0.attn_kv_b.weight", type: half.type, dimensions: half.dimensions, bytes: half.bytes))
    #expect(try refusal(model).contains("attn_kv_b"))
  }
}
