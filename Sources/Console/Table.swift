// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A table in which each column is as wide as its widest cell; number columns are aligned right.
package struct Table: Sendable {
  /// The alignment of a column's cells.
  package enum Alignment: Sendable { case left, right }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  /// A table with these columns.
  package init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  /// Adds a row, which must have a cell for each column.
  package mutating func append(_ cells: [String]) {
    precondition(cells.count == columns.count, "a row has a cell for each column")
    rows.append(cells)
  }

  /// The lines, with two spaces between columns.
  package var lines: [String] {
    let widths = self.widths
    return ([columns.map(\.title)] + rows).map { pad($0, widths).joined(separator: "  ").droppingBlanksAtEnd }
  }

  /// Returns the lines; if a line exceeds `columns`, returns `records` instead. With nil there is no limit.
  package func lines(columns: Int?) -> [String] {
    guard let columns, lines.contains(where: { $0.count > columns }) else { return lines }
    return records
  }

  /// Each row as a paragraph: a line for each cell, after the title of its column.
  package var records: [String] {
    let width = columns.map(\.title.count).max() ?? 0
    return Array(
      rows.map { row in
        zip(columns, row).map { column, cell in
          "\(column.title)\(String(repeating: " ", count: width - column.title.count))  \(cell)"
        }
      }.joined(separator: [""]))
  }

  /// The lines of a Markdown table.
  package var markdown: [String] {
    let widths = self.widths.map { max($0, 3) }
    let rule = zip(columns, widths).map { column, width in
      column.alignment == .right ? String(repeating: "-", count: width - 1) + ":" : String(repeating: "-", count: width)
    }
    return ([columns.map(\.title), rule] + rows).map { "| " + pad($0, widths).joined(separator: " | ") + " |" }
  }

  private var widths: [Int] {
    columns.indices.map { column in max(columns[column].title.count, rows.map { $0[column].count }.max() ?? 0) }
  }

  private func pad(_ row: [String], _ widths: [Int]) -> [String] {
    row.indices.map { column in
      let blanks = String(repeating: " ", count: widths[column] - row[column].count)
      return columns[column].alignment == .left ? row[column] + blanks : blanks + row[column]
    }
  }
}

extension String {
  fileprivate var droppingBlanksAtEnd: String {
    var text = self[...]
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
