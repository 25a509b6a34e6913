// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import PackRuntime

/// The kind of memory that a user chose: a given one, or the best that this machine allows.
package struct MemoryChoice: ExpressibleByArgument {
  /// The best kind of memory that this machine allows.
  package static let auto = MemoryChoice(kind: nil)

  /// The kind of memory; nil for the best.
  package let kind: MemoryKind?

  private init(kind: MemoryKind?) { self.kind = kind }

  package init?(argument: String) {
    kind = MemoryKind(rawValue: argument)
    if kind == nil, argument != "auto" { return nil }
  }

  package var defaultValueDescription: String { kind?.rawValue ?? "auto" }

  package static let allValueStrings = ["auto"] + MemoryKind.allCases.map(\.rawValue)
}
