// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import JSON
import TestSupport
import Testing

typealias Oracles = TemplateOracles

extension TemplateOracles {
  static let absence = Comment(rawValue: absenceText)

  static func json(_ file: String) throws -> JSONValue { try JSONValue(parsing: text(file)) }

  /// 26 July 2024, a Friday: the present time for all oracles.
  static let date = TemplateDate(year: 2024, month: 7, day: 26, hour: 14, minute: 5, second: 9)
}

extension [PromptPiece] {
  var text: String { map(\.text).joined() }
}
