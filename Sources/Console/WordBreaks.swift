// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension String {
  /// Returns a line that breaks between words on a terminal with `columns` columns.
  ///
  /// A terminal breaks a long line at its last column. So if a word would not end in the row, spaces fill the row, and the word begins the
  /// next one. It remains a single line: a command in it can still be copied and pasted.
  ///
  /// - Parameter indent: The columns that stay empty at the start of the following rows, in addition to the leading spaces of the line.
  package func breakingBetweenWords(columns: Int, indent: Int = 2) -> String {
    guard columns >= 20, width > columns else { return self }
    let empty = prefix { $0 == " " }.count + indent
    let margin = empty * 2 > columns ? 0 : empty
    var (text, column) = ("", 0)
    for (blanks, word) in words {
      let width = word.width
      if column + blanks + width <= columns {
        text += String(repeating: " ", count: blanks) + word
        column += blanks + width
      } else if margin + width <= columns {
        text += String(repeating: " ", count: columns - column + margin) + word
        column = margin + width
      } else {
        // A word that is longer than a row, such as a path, is broken by the terminal.
        text += String(repeating: " ", count: blanks) + word
        column = (column + blanks + width) % columns
      }
    }
    return text
  }

  /// The columns that the text takes on one line.
  private var width: Int { unicodeScalars.reduce(0) { $0 + TypedLine.columns($1) } }

  /// The words, each with the number of spaces before it. Quoted text, such as a path in a command, is one word.
  private var words: [(blanks: Int, word: String)] {
    var words: [(blanks: Int, word: String)] = []
    var (blanks, word, isQuoted) = (0, "", false)
    for character in self {
      if character == " ", !isQuoted {
        if !word.isEmpty {
          words.append((blanks, word))
          (blanks, word) = (0, "")
        }
        blanks += 1
      } else {
        // A quotation mark within a word is an apostrophe.
        if character == "'" { isQuoted = word.isEmpty }
        word.append(character)
      }
    }
    if !word.isEmpty { words.append((blanks, word)) }
    return words
  }
}
