// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The memory that is missing on one node, in bytes.
public struct NodeShortage: Hashable, Sendable {
  /// The node.
  public var node: Int
  /// The bytes that should lie there, including the margin that stays free.
  public var needed: Int
  /// The bytes that are free there.
  public var free: Int
  /// The part of the needed bytes that is KV cache and activations.
  public var activations: Int
  /// The bytes that other nodes could provide instead; 0 if spilling is allowed already.
  public var elsewhere: Int

  /// The bytes that are missing.
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
