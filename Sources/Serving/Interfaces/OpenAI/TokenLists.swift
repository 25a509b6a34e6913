// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON
import Tokenization

extension Fields {
  /// Returns the tokens of each text in a field that holds a text, an array of token ids, or an array of these.
  ///
  /// A text gets the tokens that the model needs around it; arrays of ids are not changed.
  ///
  /// - Parameters:
  ///   - limit: The largest number of elements in an array of texts or arrays.
  ///   - allowsEmptyTexts: Whether a text may be empty; an array may not.
  ///   - problem: The error message for any other value.
  func tokenLists(
    _ name: String, _ tokenizer: Tokenizer, limit: Int, allowsEmptyTexts: Bool, problem: String
  ) throws(InterfaceError) -> [[Int32]] {
    func tokens(_ value: JSONValue) throws(InterfaceError) -> [Int32]? {
      if let text = value.string {
        return text.isEmpty && !allowsEmptyTexts ? nil : tokenizer.encode(text, addSpecial: true, parseSpecial: true)
      }
      guard let values = value.array, !values.isEmpty else { return nil }
      let numbers = values.compactMap { if case .integer(let number) = $0 { number } else { nil } }
      guard numbers.count == values.count else { return nil }
      if let number = numbers.first(where: { !(0..<Int128(tokenizer.count)).contains($0) }) {
        throw .notAToken(number, field: name, vocabularySize: tokenizer.count)
      }
      return numbers.map { Int32($0) }
    }
    guard let value = self[name] else { throw .missing(field: name) }
    if let tokens = try tokens(value) { return [tokens] }
    guard let values = value.array, values.count <= limit else { throw .bad(field: name, problem: problem) }
    var lists: [[Int32]] = []
    for value in values {
      guard let tokens = try tokens(value) else { throw .bad(field: name, problem: problem) }
      lists.append(tokens)
    }
    guard !lists.isEmpty else { throw .bad(field: name, problem: problem) }
    return lists
  }
}
