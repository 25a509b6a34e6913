// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// HTML escaping. It happens only if a template requests it, with `escape` or by adding to text that `safe` has marked.
extension Text {
  /// Returns the text with `& < > ' "` written as references. Text that is already marked is not changed.
  func escaped() -> Text {
    if isMarkup { return self }
    var result: [Letter] = []
    for letter in letters {
      let reference =
        switch letter.scalar {
        case "&": "&amp;"
        case "<": "&lt;"
        case ">": "&gt;"
        case "'": "&#39;"
        case "\"": "&#34;"
        default: ""
        }
      if reference.isEmpty {
        result.append(letter)
      } else {
        result += reference.unicodeScalars.map { letter.replaced(by: $0) }
      }
    }
    return Text(result, isMarkup: true)
  }

  /// Returns Python's `self + other`; if one side is marked, the other is escaped.
  func added(_ other: Text) -> Text {
    guard isMarkup || other.isMarkup else { return self + other }
    return Text(escaped().letters + other.escaped().letters, isMarkup: true)
  }

  /// The text without the mark of markup.
  var plain: Text { isMarkup ? Text(letters) : self }
  func marked(_ isMarkup: Bool) -> Text { Text(letters, isMarkup: isMarkup) }

  /// Returns the text without comments and tags, with runs of white space reduced to one blank and references resolved.
  func withoutTags() -> Text {
    var text = plain
    for (open, close) in [("<!--", "-->"), ("<", ">")] as [(Text, Text)] {
      var result: [Letter] = []
      var start = 0
      while let begin = text.firstIndex(of: open, in: start..<text.count),
        let end = text.firstIndex(of: close, in: (begin + open.count)..<text.count)
      {
        result += text.letters[start..<begin]
        start = end + close.count
      }
      result += text.letters[start...]
      text = Text(result)
    }
    let words = text.splitAtSpace(limit: .max)
    return Text.joined(words, separator: " ").withoutReferences()
  }

  private func withoutReferences() -> Text {
    let references: [(Text, Unicode.Scalar)] = [
      ("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&#34;", "\""), ("&quot;", "\""), ("&amp;", "&"),
    ]
    var result: [Letter] = []
    var index = 0
    while index < count {
      let found = letters[index] == "&" ? references.first { hasPrefix($0.0, in: index..<count) } : nil
      result.append(found.map { letters[index].replaced(by: $0.1) } ?? letters[index])
      index += found?.0.count ?? 1
    }
    return Text(result)
  }
}
