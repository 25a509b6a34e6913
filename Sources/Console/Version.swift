// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// The version of the programs, stated only here.
package enum Version {
  /// The number alone, which a pack's manifest names with its writer.
  package static let number = "0.1.0"

  /// What `--version` prints.
  package static let description =
    "\(number) (pack format \(PackManifest.currentFormatVersion), layouts \(PackManifest.currentLayoutVersion))"
}
