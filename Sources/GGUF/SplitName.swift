// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The keys that link the parts of a split model (from llama.cpp's gguf-split).
package enum SplitKey {
  /// The part's number, from 0.
  package static let number = "split.no"
  /// The number of parts.
  package static let count = "split.count"
  /// The number of tensors in all parts together.
  package static let tensorCount = "split.tensors.count"
}

/// The name of a split model's file: `PREFIX-00001-of-00003.gguf`.
package struct SplitName: Hashable {
  /// The path, including the folder, up to the hyphen before the part's number.
  let prefix: String
  /// The number of the part, from 0.
  let number: Int
  /// The number of parts.
  let count: Int

  /// The highest count that the 16-bit key can hold.
  package static let maximumCount = 65_535

  /// Names part `number` of `count`.
  package init(prefix: String, number: Int, count: Int) {
    self.prefix = prefix
    self.number = number
    self.count = count
  }

  /// Splits a path into its fields; nil if it does not end the way a part's path does.
  init?(path: String) {
    let length = Self.suffix(0, of: 1).utf8.count
    guard path.utf8.count >= length else { return nil }
    let ending = path.utf8.suffix(length)
    let digits = [ending.dropFirst(1).prefix(5), ending.dropFirst(10).prefix(5)]
    guard digits.allSatisfy({ $0.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) }),
      let number = Int(String(Substring(digits[0]))), let count = Int(String(Substring(digits[1]))),
      (1...max(1, count)).contains(number), path.hasSuffix(Self.suffix(number - 1, of: count))
    else { return nil }
    self.init(prefix: String(path.utf8.dropLast(length)) ?? "", number: number - 1, count: count)
  }

  /// Returns the path of part `number`, counted from 0.
  package func path(_ number: Int) -> String { prefix + Self.suffix(number, of: count) }

  /// Returns the ending of the file name of part `number`, counted from 0.
  static func suffix(_ number: Int, of count: Int) -> String {
    "-\(fiveDigits(number + 1))-of-\(fiveDigits(count)).gguf"
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}
