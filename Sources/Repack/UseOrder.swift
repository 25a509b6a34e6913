// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// The order in which decoding reads tensors: those before the layers, layer by layer, then those after the layers.
///
/// It only decides which weights are neighbours on disk. Tensors with unlisted names come last in their layer.
struct UseOrder: Comparable {
  private let layer: Int
  private let step: Int
  /// The position in the source, which orders tensors that are otherwise equal.
  private let index: Int

  /// The order of tensor number `index` of the source.
  init(_ name: String, index: Int) {
    let fields = name.split(separator: ".", omittingEmptySubsequences: false)
    if fields.count > 2, fields[0] == "blk", let number = Int(fields[1]), number >= 0, number < Int.max {
      layer = number
      let part = String(fields[2])
      step = Self.steps.firstIndex { part.hasPrefix($0) } ?? Self.steps.count
    } else {
      layer = name.hasPrefix("output") ? Int.max : -1
      // The output norm is used before the output matrix.
      step = name.hasPrefix("output_norm") ? 0 : 1
    }
    self.index = index
  }

  /// Prefixes of the names within a layer, in the order of use. A longer prefix comes before the shorter ones that it begins with.
  static let steps = [
    "attn_res_score", "hc_attn", "attn_norm", "attn_qkv", "attn_q_a", "attn_q_b", "attn_q", "attn_kv", "attn_k", "attn_v",
    "attn_gate", "attn_sinks", "shortconv", "ssm_in", "ssm_ba", "ssm_beta", "ssm_alpha", "ssm_f", "ssm_g", "ssm_conv1d", "ssm_dt",
    "ssm_a", "ssm_d", "ssm_norm", "ssm_out", "indexer", "attn_compressor", "attn_output", "attn_post", "post_attention_norm",
    "ffn_res_score", "hc_ffn", "ffn_norm", "ffn_gate_inp", "exp_probs", "ffn_latent_down", "ffn_routed_down", "ffn_gate_up",
    "ffn_gate", "ffn_up", "ffn_down", "ffn_latent_up", "ffn_routed_norm", "ffn_routed_up", "ffn_post", "pre_ffw_norm",
    "post_ffw_norm", "inp_gate", "proj", "post_norm", "layer_output_scale",
  ]

  static func < (left: UseOrder, right: UseOrder) -> Bool {
    (left.layer, left.step, left.index) < (right.layer, right.step, right.index)
  }
}
