// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Rows of cells, each column as wide as its widest cell; columns of numbers are aligned right.
package struct Table: Sendable {
  /// Which side of a column its cells are on.
  package enum Alignment: Sendable { case left, right }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  /// A table with these columns.
  package init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  /// Adds a row, which has a cell for each column.
  package mutating func append(_ cells: [String]) {
    precondition(cells.count == columns.count, "a row has a cell for each column")
    rows.append(cells)
  }

  /// The lines, columns apart by two blanks.
  package var lines: [String] {
    let widths = self.widths
    return ([columns.map(\.title)] + rows).map { pad($0, widths).joined(separator: "  ").droppingBlanksAtEnd }
  }

  /// The lines, each cell on one of its own where a row does not fit so many columns; nil: any row fits.
  package func lines(columns: Int?) -> [String] {
    guard let columns, lines.contains(where: { $0.count > columns }) else { return lines }
    return records
  }

  /// Each row as a paragraph: a line for each cell, after its column's title.
  package var records: [String] {
    let width = columns.map(\.title.count).max() ?? 0
    return Array(
      rows.map { row in
        zip(columns, row).map { column, cell in
          "\(column.title)\(String(repeating: " ", count: width - column.title.count))  \(cell)"
        }
      }.joined(separator: [""]))
  }

  /// The lines as Markdown writes a table.
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
