// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The filter `wordwrap`: Python's `textwrap.wrap` for each line, without expanding tabs or replacing white space.
extension FilterCall {
  func wordWrap() throws(Fault) -> Value {
    let values = try bound(["width", "break_long_words", "wrapstring", "break_on_hyphens"])
    let width = try values[0].integer(or: 79, "width")
    guard width > 0 else { throw Fault(.value, "invalid width \(width) (must be > 0)") }
    let end = values[2]?.isNone ?? true ? "\n" : try string(values[2])
    if case .undefined(let undefined) = value { throw undefined.fault }
    let subject = try string(value)
    guard !values[3].isTrue(or: true) || !subject.letters.contains(Letter("-")) else {
      throw Fault(.unsupported, "wordwrap of text with hyphens is only supported with break_on_hyphens=false")
    }
    var lines: [Text] = []
    for line in subject.lines() {
      let wrapped = wrap(line, width: width, breaksLongWords: values[1].isTrue(or: true))
      lines.append(try interpreter.join(wrapped, separator: end).asText ?? "")
    }
    return try interpreter.join(lines, separator: end)
  }

  private func wrap(_ line: Text, width: Int, breaksLongWords: Bool) -> [Text] {
    var chunks = chunks(of: line)[...]
    var lines: [Text] = []
    while !chunks.isEmpty {
      // Only the first line may begin with white space.
      if !lines.isEmpty, chunks.first?.letters.first?.isSpace == true { chunks.removeFirst() }
      var current: [Text] = []
      var length = 0
      while let chunk = chunks.first, length + chunk.count <= width {
        current.append(chunk)
        length += chunk.count
        chunks.removeFirst()
      }
      if let chunk = chunks.first, chunk.count > width {
        if breaksLongWords {
          let room = max(1, width - length)
          current.append(Text(chunk.letters[..<room]))
          chunks[chunks.startIndex] = Text(chunk.letters[room...])
        } else if current.isEmpty {
          current.append(chunk)
          chunks.removeFirst()
        }
      }
      if current.last?.letters.first?.isSpace == true { current.removeLast() }
      if !current.isEmpty { lines.append(Text.joined(current, separator: "")) }
    }
    return lines
  }

  /// Returns runs of white space and runs of other characters, alternately.
  private func chunks(of line: Text) -> [Text] {
    var chunks: [Text] = []
    var start = 0
    for index in line.letters.indices.dropFirst()
    where line.letters[index].isWrapSpace != line.letters[index - 1].isWrapSpace {
      chunks.append(Text(line.letters[start..<index]))
      start = index
    }
    if start < line.count { chunks.append(Text(line.letters[start...])) }
    return chunks
  }
}

extension Letter {
  /// `textwrap` knows only the white space of ASCII.
  fileprivate var isWrapSpace: Bool { code == 0x20 || (code >= 0x09 && code <= 0x0D) }
}
