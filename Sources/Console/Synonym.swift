// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// An option of similar programs that this one has under another name, or does not have.
package enum Synonym: Sendable {
  /// The same as another option. If it `sharesValue`, all given synonyms of that option must have the same value.
  case option(String, sharesValue: Bool = false)
  /// Its value is an argument here, placed before all others.
  case argument
  /// It has no effect here and can be left out. The reason continues "… is not needed:".
  case notNeeded(String, values: Values = .none)
  /// It cannot be left out without changing the result. The text gives the reason and what to do instead; it follows the option's name and
  /// a colon.
  case refused(String)

  /// What follows an option that is left out.
  package enum Values: Sendable {
    /// It is a flag.
    case none
    /// One word, unless it is the next option.
    case one
    /// One of these words, or nothing.
    case optional(Set<String>)

    /// Returns whether `word`, which follows the option, belongs to it.
    func takes(_ word: String) -> Bool {
      switch self {
      case .none: false
      case .one: !word.hasPrefix("-") || Double(word) != nil
      case .optional(let words): words.contains(word)
      }
    }

    /// `on`, `off`, and other ways to write them.
    package static let onOrOff = Values.optional(["on", "off", "auto", "0", "1", "true", "false"])
  }
}
