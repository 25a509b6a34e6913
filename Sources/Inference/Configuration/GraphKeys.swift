// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// Keys that change what some architectures compute, and the values at which they change nothing.
///
/// A graph that reads such a key honours it. A file that has a key which its graph does not read, with a value other than "off",
/// must not be computed: every result would be wrong. The names are those of llama.cpp's converter.
enum GraphKeys {
  /// Keys that hold a number (or an array of them), with the values that mean "off".
  private static let numbers: [String: [Float]] = [
    "attn_logit_softcapping": [0], "router_logit_softcapping": [0], "final_logit_softcapping": [0],
    "logit_scale": [0, 1], "residual_scale": [0, 1], "embedding_scale": [0, 1],
    "attention.max_alibi_bias": [0], "attention.clamp_kqv": [0], "attention.value_scale": [0, 1], "attention.output_scale": [0, 1],
    "attention.temperature_scale": [0], "attention.shared_kv_layers": [0], "attention.relative_buckets_count": [0],
    "attention.indexer.top_k": [0], "attention.output_group_count": [0], "attention.output_lora_rank": [0],
    "attention.compress_ratios": [0], "attention.kv_lora_rank": [0], "attention.q_lora_rank": [0],
    "attn_res.block_size": [0], "embedding_length_per_layer_input": [0], "swiglu_clamp_exp": [0], "swiglu_clamp_shexp": [0],
    "activation.situ_beta": [0], "moe_every_n_layers": [0, 1], "moe_latent_size": [0], "expert_latent_length": [0],
    "expert_group_scale": [0, 1], "interleave_moe_layer_step": [0, 1], "full_attention_interval": [0, 1],
    "rescale_every_n_layers": [0], "token_shift_count": [0], "num_loops": [0, 1], "hash_layer_count": [0],
    "hyper_connection.count": [0, 1], "ssm.state_size": [0], "ssm.conv_kernel": [0], "wkv.head_size": [0], "kda.head_dim": [0],
    "kda.gate_lower_bound": [],
    "shortconv.l_cache": [0], "rope.scaling.alpha": [0, 1], "rope.scaling.yarn_ext_factor": [-1, 1],
    "rope.scaling.yarn_attn_factor": [1], "adapters.count": [0],
  ]

  /// Keys that hold a truth value (or an array of them), with the one that means "off".
  private static let flags: [String: Bool] = [
    "use_parallel_residual": false, "swin_norm": false, "attention.causal": true, "attention.recurrent_layers": false,
    "norm_before_residual": false, "attention.indexer.types": false,
  ]

  /// Sizes of layers with a window. They mean "off" if they equal the given size of the other layers.
  private static let windowSizes = [
    "attention.key_length_swa": "attention.key_length", "attention.value_length_swa": "attention.value_length",
    "rope.dimension_count_swa": "rope.dimension_count",
  ]

  /// All names, in the order in which they are checked.
  static let names = (Array(numbers.keys) + flags.keys + windowSizes.keys).sorted()

  /// Throws for the first key that was not read and that would change the graph.
  static func check(_ reader: MetadataReader) throws(ModelError) {
    for name in names where !reader.readNames.contains(name) {
      guard let value = reader.metadata[reader.key(name)] else { continue }
      guard isOff(name, value, reader) else { throw .unsupportedKey(key: reader.key(name), value: text(value)) }
    }
  }

  private static func isOff(_ name: String, _ value: MetadataValue, _ reader: MetadataReader) -> Bool {
    if let off = flags[name] {
      if case .bool(let flag) = value { return flag == off }
      guard case .array(let array) = value, let flags = array.bools else { return false }
      return flags.allSatisfy { $0 == off }
    }
    if let other = windowSizes[name] {
      return value.integer != nil && value.integer == reader.metadata.integer(reader.key(other))
    }
    let off = numbers[name] ?? []
    if let number = value.float ?? value.integer.map({ Float($0) }) { return off.contains(number) }
    guard case .array(let array) = value, let values = array.floats ?? array.integers?.map({ Float($0) }) else { return false }
    return values.allSatisfy(off.contains)
  }

  /// Describes a value for a message of one line.
  private static func text(_ value: MetadataValue) -> String {
    if let number = value.integer { return "\(number)" }
    if let number = value.float { return "\(number)" }
    if case .bool(let flag) = value { return "\(flag)" }
    if case .array(let array) = value { return "an array of \(array.count)" }
    return "of another kind"
  }
}
