// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation

/// The repository's folder of fixtures.
let fixturesFolder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../fixtures").standardized.path
