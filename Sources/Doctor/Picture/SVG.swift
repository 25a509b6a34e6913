// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// An SVG 1.1 picture that is drawn back to front.
struct SVG {
  private var elements: [String] = []
  private let width: Int
  private(set) var height: Int

  /// An empty picture; its height grows with what is drawn.
  init(width: Int) {
    self.width = width
    height = 0
  }

  /// Draws a filled rectangle; a browser shows `title` when the pointer is on it.
  mutating func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ color: String, title: String? = nil) {
    let shape =
      "<rect x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" width=\"\(Self.number(width))\" height=\"\(Self.number(height))\" fill=\"\(color)\""
    elements.append(title.map { "\(shape)><title>\($0.escapedForXML)</title></rect>" } ?? "\(shape)/>")
    extend(to: y + height)
  }

  /// The point of a text that its x coordinate sets.
  enum Anchor: String { case start, middle, end }

  /// Draws a line of text on the baseline `y`.
  mutating func text(_ x: Double, _ y: Double, _ text: String, size: Int = 13, color: String = "#222222", anchor: Anchor = .start) {
    elements.append(
      "<text x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" font-size=\"\(size)\" fill=\"\(color)\" text-anchor=\"\(anchor.rawValue)\">"
        + "\(text.escapedForXML)</text>")
    extend(to: y + 4)
  }

  private mutating func extend(to y: Double) { height = max(height, Int(y.rounded(.up))) }

  private static func number(_ value: Double) -> String { Decimal(value, 2).description }

  /// The text of the SVG file.
  var description: String {
    let size = "width=\"\(width)\" height=\"\(height + 16)\" viewBox=\"0 0 \(width) \(height + 16)\""
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" \(size) font-family=\"sans-serif\">\n"
      + "<rect width=\"\(width)\" height=\"\(height + 16)\" fill=\"#ffffff\"/>\n" + elements.joined(separator: "\n") + "\n</svg>\n"
  }
}

extension String {
  /// The text on one line, escaped for XML and HTML.
  var escapedForXML: String {
    var result = ""
    for character in oneLine {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }
}
