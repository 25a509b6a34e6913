// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How much memory is missing on one node, in bytes.
public struct NodeShortage: Hashable, Sendable {
  /// The node.
  public var node: Int
  /// What was to lie there, with the margin that stays free.
  public var needed: Int
  /// What is free there.
  public var free: Int
  /// The part of what was to lie there that is KV cache and activations.
  public var activations: Int
  /// What other nodes could take instead; 0 if they may take some already.
  public var elsewhere: Int

  /// What is missing.
  public var missing: Int { needed - free }

  /// Describes a shortage.
  public init(node: Int, needed: Int, free: Int, activations: Int = 0, elsewhere: Int = 0) {
    self.node = node
    self.needed = needed
    self.free = free
    self.activations = activations
    self.elsewhere = elsewhere
  }
}
