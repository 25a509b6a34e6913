// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import TestSupport
import Testing

@testable import Inference

struct ModelConfigurationTests {
  /// Returns the metadata of a small model of an architecture.
  private static func metadata(_ architecture: String = "llama") -> GGUFMetadata {
    var metadata = GGUFMetadata()
    metadata["general.architecture"] = .text(architecture)
    var sizes = [
      "block_count": 2, "context_length": 512, "embedding_length": 64, "feed_forward_length": 128, "attention.head_count": 4,
      "attention.head_count_kv": 2, "rope.dimension_count": 16,
    ]
    switch (try? Architecture.named(architecture))?.mixers {
    case .latent, .kimiDeltaNets:
      let latent = [
        "kv_lora_rank": 32, "q_lora_rank": 32, "key_length_mla": 32, "value_length_mla": 16, "indexer.head_count": 2,
        "indexer.key_length": 32, "indexer.top_k": 8,
      ]
      // An indexer that the graph does not have is refused.
      let hasIndexer = (try? Architecture.named(architecture))?.indexer != nil
      for (key, value) in latent where !key.hasPrefix("indexer") || hasIndexer {
        sizes["attention.\(key)"] = value
      }
    case .deltaNets:
      sizes.merge(
        ["ssm.state_size": 16, "ssm.group_count": 2, "ssm.time_step_rank": 4, "ssm.inner_size": 64, "ssm.conv_kernel": 4]
      ) { $1 }
    case .compressed:
      sizes["attention.head_count_kv"] = 1
      sizes.merge(
        [
          "attention.key_length": 32, "attention.q_lora_rank": 32, "attention.sliding_window": 16,
          "attention.output_group_count": 2,
          "attention.output_lora_rank": 16, "attention.compress_ratios": 4,
          "attention.indexer.head_count": 2, "attention.indexer.key_length": 32, "attention.indexer.top_k": 8,
          "hyper_connection.count": 4, "hyper_connection.sinkhorn_iterations": 20, "hash_layer_count": 1,
          "expert_count": 8, "expert_used_count": 2, "expert_feed_forward_length": 64,
        ]
      ) { $1 }
    case .attention, .convolutions, .mambas, nil: break
    }
    if (try? Architecture.named(architecture))?.choosesBlocks == true {
      sizes.merge(
        [
          "attention.indexer.head_count": 2, "attention.indexer.key_length": 16, "attention.indexer.top_k": 4,
          "attention.indexer.block_size": 16,
        ]
      ) { $1 }
    }
    // A layer with heads cannot be a network as well.
    if (try? Architecture.named(architecture))?.hasOnePartPerLayer == true { sizes["feed_forward_length"] = 0 }
    for (key, value) in sizes { metadata["\(architecture).\(key)"] = .uint32(UInt32(value)) }
    if case .compressed? = (try? Architecture.named(architecture))?.mixers {
      metadata["\(architecture).attention.compress_rope_freq_base"] = .float32(160_000)
    }
    metadata["\(architecture).attention.layer_norm_rms_epsilon"] = .float32(1e-6)
    metadata["\(architecture).activation.situ_beta"] =
      (try? Architecture.named(architecture))?.keys.contains(.situ) == true ? .float32(2) : nil
    return metadata
  }

  @Test("A model that states what its graph needs is accepted")
  func good() throws {
    let configuration = try ModelConfiguration(Self.metadata())
    #expect(configuration.layers.count == 2 && configuration.contextLength == 512 && !configuration.hasExperts)
    guard case .attention(let attention) = configuration.layers[0].mixer else {
      Issue.record("another mixer")
      return
    }
    #expect(attention.heads.keyLength == 16 && attention.heads.groupSize == 2)
  }

  @Test(
    "Values that no graph can use are refused in one line that names the key",
    arguments: [
      ("attention.head_count", MetadataValue.uint32(0)), ("attention.head_count", .uint32(3)), ("attention.head_count", .int32(-1)),
      ("attention.head_count", .uint64(1 << 63)), ("attention.head_count", .text("four")),
      ("attention.head_count", .array(MetadataArray(int32s: [4]))), ("attention.head_count_kv", .uint32(0)),
      ("attention.layer_norm_rms_epsilon", .float32(.nan)), ("attention.layer_norm_rms_epsilon", .float32(-1)),
      ("attention.layer_norm_rms_epsilon", .float64(1e300)), ("rope.dimension_count", .uint32(0)),
      ("rope.dimension_count", .uint32(7)), ("rope.dimension_count", .uint32(32)), ("rope.freq_base", .float32(0)),
      ("rope.freq_base", .float32(.infinity)), ("rope.scaling.factor", .float32(-2)), ("rope.scaling.factor", .float32(1e-30)),
      ("rope.scaling.type", .text("magic")), ("block_count", .uint32(0)), ("block_count", .uint32(1 << 20)),
      ("embedding_length", .uint32(0)), ("embedding_length", .uint32(.max)), ("context_length", .uint32(0)),
      ("feed_forward_length", .uint32(0)), ("attention.key_length", .uint32(0)), ("attention.key_length", .uint32(31)),
      ("final_logit_softcapping", .float32(-3)), ("expert_count", .uint32(1 << 31)), ("expert_used_count", .uint32(9)),
      ("nextn_predict_layers", .uint32(2)),
    ])
  func refused(name: String, value: MetadataValue) throws {
    var metadata = Self.metadata()
    if name == "expert_used_count" { metadata["llama.expert_count"] = .uint32(8) }
    metadata["llama.\(name)"] = value
    do {
      _ = try ModelConfiguration(metadata)
      Issue.record("it was accepted")
    } catch {
      #expect(error.description.contains("llama.") && !error.description.contains("\n"), "\(error)")
      let related = ["nextn_predict_layers": "block_count", "expert_count": "expert_count"][name] ?? name
      #expect(error.description.contains(related) || error.description.contains("head_count"), "\(error)")
    }
  }

  @Test("Sizes whose product exceeds any machine are refused, not multiplied")
  func enormousProducts() throws {
    var metadata = Self.metadata("llama")
    metadata["llama.attention.head_count"] = .uint64(1 << 30)
    metadata["llama.attention.head_count_kv"] = .uint64(1 << 30)
    metadata["llama.attention.key_length"] = .uint64(65536)
    metadata["llama.attention.value_length"] = .uint64(65536)
    #expect(throws: ModelError.self) { try ModelConfiguration(metadata) }

    metadata["llama.attention.head_count"] = .uint64(1 << 14)
    metadata["llama.attention.head_count_kv"] = .uint64(1 << 14)
    let configuration = try ModelConfiguration(metadata)
    var options = ModelOptions()
    options.contextLength = 1 << 28
    options.sequenceCount = 256
    #expect(throws: ModelError.tooLarge(what: "the KV cache of a context of \(1 << 28)")) {
      try ModelLimits(configuration, options, vocabularySize: 512)
    }
  }

  @Test("Random values of any kind are accepted or refused, and never trap", arguments: Architecture.all.map(\.name))
  func random(prefix: String) throws {
    var random = SplitMix64(seed: 3)
    let names = [
      "block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count", "attention.head_count_kv",
      "attention.key_length", "attention.value_length", "attention.key_length_mla", "attention.value_length_mla",
      "attention.kv_lora_rank", "attention.q_lora_rank", "attention.sliding_window", "attention.sliding_window_pattern",
      "attention.layer_norm_rms_epsilon", "attention.scale", "rope.dimension_count", "rope.freq_base", "rope.freq_base_swa",
      "rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length", "rope.scaling.yarn_beta_fast",
      "rope.scaling.yarn_beta_slow", "rope.scaling.yarn_log_multiplier", "rope.scaling.attn_factor", "expert_count",
      "expert_used_count", "expert_feed_forward_length", "expert_shared_count", "expert_shared_feed_forward_length",
      "expert_gating_func", "expert_weights_norm", "expert_weights_scale", "expert_group_count", "expert_group_used_count",
      "leading_dense_block_count", "nextn_predict_layers", "final_logit_softcapping", "attention.key_length_swa",
      "rope.dimension_count_swa", "attention.shared_kv_layers", "embedding_length_per_layer_input", "attention.temperature_scale",
      "attention.temperature_length", "interleave_moe_layer_step", "swiglu_clamp_exp", "logit_scale", "ssm.state_size",
      "ssm.group_count", "ssm.time_step_rank", "ssm.inner_size", "ssm.conv_kernel", "full_attention_interval",
      "attention.recurrent_layers", "attention.indexer.head_count", "attention.indexer.key_length", "attention.indexer.top_k",
      "attention.indexer.types",
    ]
    let integers: [UInt64] = [0, 1, 2, 3, 4, 8, 16, 31, 64, 255, 4096, 65536, 1 << 30, 1 << 31, (1 << 32) - 1, 1 << 63, .max]
    let numbers: [Float] = [.nan, .infinity, -.infinity, 0, -0.0, -1, .leastNonzeroMagnitude, 1e-30, 1e30, 0.5, 2, 10_000]
    var refused = 0
    for _ in 0..<400 {
      var metadata = Self.metadata(prefix)
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let key = "\(prefix).\(names.randomElement(using: &random) ?? "")"
        metadata[key] =
          switch Int.random(in: 0..<8, using: &random) {
          case 0: .float32(numbers.randomElement(using: &random) ?? 0)
          case 1: .text(["yarn", "linear", "none", ""].randomElement(using: &random) ?? "")
          case 2: .bool(Bool.random(using: &random))
          case 3:
            .array(
              MetadataArray(
                int32s: (0..<Int.random(in: 0...4, using: &random)).map { _ in Int32.random(in: -1...8, using: &random) }))
          case 4: .int32(Int32.random(in: -2...70, using: &random))
          default: .uint64(integers.randomElement(using: &random) ?? 0)
          }
      }
      do {
        let configuration = try ModelConfiguration(metadata)
        // The rest of the program relies on these.
        #expect(
          configuration.layers.enumerated().allSatisfy { layer, parts in
            if case .attention(let attention) = parts.mixer, let source = attention.source { return source < layer }
            guard let mixer = parts.mixer else { return parts.network != nil }
            return mixer.numbersPerPosition + mixer.stateLength > 0
          })
        for rotary in configuration.rotaries { _ = rotary.frequencies(factors: [1]) }
      } catch {
        refused += 1
        #expect(!error.description.contains("\n"))
      }
    }
    #expect((1..<400).contains(refused))
  }
}
