// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A box for a value that cannot be copied, so that arrays and several owners can hold it.
package final class Shared<Value: ~Copyable & Sendable>: Sendable {
  package let value: Value

  package init(_ value: consuming Value) { self.value = value }
}
