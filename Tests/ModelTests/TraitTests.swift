// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import Testing

@testable import Inference

@Suite("What no oracle's file says", .enabled(if: Oracles.folder != nil, Oracles.absence))
struct TraitTests {
  static func model(_ name: String) throws -> EditedModel { try EditedModel(Oracles.tinyFile(name + ".gguf").path) }

  @Test("RoPE's long factors apply to contexts beyond the original one, the short factors to others")
  func longFactors() throws {
    let short = try Self.model("phi3-5.F16")
    // The contexts in these tests have 64 tokens.
    var long = short
    long.set("rope.scaling.original_context_length", .uint32(63))
    var exchanged = short
    let factors = try #require(short["rope_factors_long.weight"]?.bytes)
    exchanged.remove { $0 == "rope_factors_short.weight" }
    exchanged.add("rope_factors_short.weight", factors.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) })
    #expect(try long.logits() == exchanged.logits())
    #expect(try long.logits() != short.logits())
  }

  @Test("An EXAONE 4 model with another number of layers has no windows")
  func windowsByLayerCount() throws {
    var model = try Self.model("exaone4-5.F16")
    model.remove { name in name.split(separator: ".").dropFirst().first.flatMap { Int($0) }.map { $0 >= 4 } ?? false }
    model.set("block_count", .uint32(4))
    var wide = model
    wide.set("attention.sliding_window", .uint32(1000))
    #expect(try model.logits() == wide.logits())
  }

  @Test("For Llama 4, a window of 0 turns off the chunks, the temperature and the layers without RoPE")
  func chunksOff() throws {
    let model = try Self.model("llama4-5.F16")
    var off = model
    off.set("attention.sliding_window", .uint32(0))
    let layers = try ModelConfiguration(off.metadata).layers
    for layer in layers {
      guard case .attention(let attention) = layer.mixer else {
        Issue.record("not attention")
        return
      }
      #expect(attention.window.length == 0 && attention.rotary != nil && attention.temperature == nil)
    }
    #expect(try off.logits() != model.logits())
  }

  @Test("In DeepSeek V4, a shared expert has the limit of the other experts if the file names none")
  func sharedLimit() throws {
    let model = try Self.model("deepseek4-5.F16")
    var silent = model
    silent.metadata["deepseek4.swiglu_clamp_shexp"] = nil
    #expect(try silent.logits() == model.logits())
    var off = model
    off.set("swiglu_clamp_shexp", .float32(0))
    #expect(try off.logits() != model.logits())
  }

  @Test("Experts chosen by token that do not exist are refused by the tensor's name")
  func tokenExperts() throws {
    var model = try Self.model("deepseek4-5.F16")
    let name = "blk.1.ffn_gate_tid2eid.weight"
    let index = try #require(model.tensors.firstIndex { $0.name == name })
    model.tensors[index].bytes[40] = 8
    let error = #expect(throws: ModelError.self) { try model.logits() }
    guard case .badValue(name, "8", "0 to 7") = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("A file that states prediction layers but has none is refused, because other layers would be left out")
  func countedPredictionLayers() throws {
    var model = try Self.model("deepseek4-5.F16")
    model.set("nextn_predict_layers", .uint32(1))
    let error = #expect(throws: ModelError.self) { try model.logits() }
    guard case .unusedTensor(let name) = error, name.hasPrefix("blk.3.") else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("Experts between matrices that change nothing give the same result as without them", arguments: [1, 2])
  func latentExperts(nodes: Int) throws {
    let model = try Self.model("nemotron_h_moe-5.F16")
    let length = model.metadata.integer("nemotron_h_moe.embedding_length") ?? 0
    let identity = (0..<length * length).map { $0 % length == $0 / length ? Float(1) : 0 }
    var latent = model
    latent.set("moe_latent_size", .uint32(UInt32(length)))
    for layer in [1, 4, 6] {
      for name in ["down", "up"] { latent.add("blk.\(layer).ffn_latent_\(name).weight", identity, dimensions: [length, length]) }
    }
    #expect(try latent.logits(nodes: nodes) == model.logits(nodes: nodes))
  }

  @Test("A layer that should be a network but also has heads is refused")
  func twoParts() throws {
    var model = try Self.model("nemotron_h_moe-5.F16")
    model.set("feed_forward_length", .uint32(64))
    #expect(throws: ModelError.self) { try ModelConfiguration(model.metadata) }
  }

  @Test("Tensors of a kind of layer that the metadata does not name are refused by name")
  func foreignTensor() throws {
    for (name, tensor) in [("kimi-linear-5.F16", "blk.3.ssm_g.weight"), ("minimax-m3-5.F16", "blk.0.indexer.q_proj.weight")] {
      var model = try Self.model(name)
      model.add(tensor, [1, 2, 3, 4])
      #expect(throws: ModelError.unusedTensor(name: tensor)) { try model.logits() }
    }
  }

  @Test("A token sees its chunk from the beginning, and nothing before it")
  func chunks() {
    let chunk = Window(length: 8, isChunk: true)
    #expect(
      (0..<20).map { chunk.first(for: $0) } == [Int32](repeating: 0, count: 8) + [Int32](repeating: 8, count: 8) + [16, 16, 16, 16])
    #expect((0..<4).map { Window(length: 3).first(for: $0) } == [0, 0, 0, 1])
    #expect(Window().first(for: 1000) == 0)
  }

  @Test("Scores become sharper in steps with the position")
  func temperature() {
    let temperature = Temperature(scale: 0.1, length: 8, offset: 1)
    #expect(temperature.factor(at: 6) == 1)
    #expect(temperature.factor(at: 7) == Float(1 + Double(Float(0.1)) * log(2)))
    #expect(temperature.factor(at: 22) == Float(1 + Double(Float(0.1)) * log(3)))
  }

  @Test(
    "Keys that only some graphs honour are refused by the others",
    arguments: [
      "attn_logit_softcapping", "attention.temperature_scale", "attention.value_scale", "embedding_scale", "residual_scale",
    ])
  func foreignKeys(key: String) throws {
    var model = try Self.model("seed_oss-5.F16")
    model.set(key, .float32(3))
    #expect(throws: ModelError.unsupportedKey(key: "seed_oss.\(key)", value: "3.0")) { try ModelConfiguration(model.metadata) }
  }

  @Test("A YaRN magnitude factor that does not follow from the scale is refused")
  func foreignMagnitude() throws {
    var model = try Self.model("olmo3-5.F16")
    model.set("rope.scaling.yarn_attn_factor", .float32(1.5))
    #expect(throws: ModelError.unsupportedKey(key: "olmo2.rope.scaling.yarn_attn_factor", value: "1.5")) {
      try ModelConfiguration(model.metadata)
    }
  }
}
