// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension String {
  /// A line that a terminal of `columns` breaks between words.
  ///
  /// A terminal breaks a long line wherever its last column is. So blanks fill the row where a word would not end in it, and the word
  /// begins the next row. It stays one line: a command in it can still be copied and pasted, which ends of lines would cut.
  ///
  /// - Parameter indent: Columns that stay empty at the beginning of the next rows, in addition to those that are empty in the first.
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

  /// Columns that the text takes in one line.
  private var width: Int { unicodeScalars.reduce(0) { $0 + TypedLine.columns($1) } }

  /// The words, each with the number of blanks before it. What stands between quotation marks, such as a path in a command, is one word.
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
        // One within a word is an apostrophe.
        if character == "'" { isQuoted = word.isEmpty }
        word.append(character)
      }
    }
    if !word.isEmpty { words.append((blanks, word)) }
    return words
  }
}
