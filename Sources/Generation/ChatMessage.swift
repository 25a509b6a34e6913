// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A turn of a conversation.
public struct ChatMessage: Sendable, Hashable {
  /// Whose turn it is.
  public enum Role: String, Sendable, CaseIterable {
    /// What the model is told before the conversation.
    case system
    case user
    case assistant
  }

  /// Whose turn it is.
  public var role: Role
  /// What is said.
  public var content: String

  /// A turn.
  public init(_ role: Role, _ content: String) {
    self.role = role
    self.content = content
  }
}
