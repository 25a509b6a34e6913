// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// An option that neighbouring programs have and this one has under another name, or has not.
package enum Synonym: Sendable {
  /// The same as another option; if it `sharesValue`, other synonyms of that option must have the same value.
  case option(String, sharesValue: Bool = false)
  /// Its value is an argument here, the first of all.
  case argument
  /// It has no effect here and costs nothing to leave out, for a reason that continues "… is not needed:".
  case notNeeded(String, values: Values = .none)
  /// What it would do cannot be left out: the reason, and what to do instead, as they continue the option's name and a colon.
  case refused(String)

  /// What comes after an option that is left out.
  package enum Values: Sendable {
    /// It is a flag.
    case none
    /// One word, unless it is the next option.
    case one
    /// One of these words, or nothing.
    case optional(Set<String>)

    func takes(_ word: String) -> Bool {
      switch self {
      case .none: false
      case .one: !word.hasPrefix("-") || Double(word) != nil
      case .optional(let words): words.contains(word)
      }
    }

    /// `on`, `off`, and how else people write it.
    package static let onOrOff = Values.optional(["on", "off", "auto", "0", "1", "true", "false"])
  }
}
