// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Holds a value that cannot be copied, so that an array or several owners can have it.
package final class Shared<Value: ~Copyable & Sendable>: Sendable {
  package let value: Value

  package init(_ value: consuming Value) { self.value = value }
}
