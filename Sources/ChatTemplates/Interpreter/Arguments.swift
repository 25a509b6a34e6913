// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The values that a function, filter or macro is called with.
struct Arguments {
  var positional: [Value] = []
  var keywords: [(name: String, value: Value)] = []

  var isEmpty: Bool { positional.isEmpty && keywords.isEmpty }

  /// Returns the arguments in the order of the parameters; nil for those that are not given.
  ///
  /// - Parameters:
  ///   - names: The names of the parameters, in order.
  ///   - required: How many of them, from the first on, must be given.
  func bound(to names: [String], required: Int = 0, in function: String) throws(Fault) -> [Value?] {
    guard positional.count <= names.count else {
      throw Fault(.type, "\(function)() takes at most \(names.count) arguments (\(positional.count) given)")
    }
    var values: [Value?] = positional + [Value?](repeating: nil, count: names.count - positional.count)
    for (name, value) in keywords {
      guard let index = names.firstIndex(of: name) else {
        throw Fault(.type, "\(function)() got an unexpected keyword argument '\(name)'")
      }
      guard values[index] == nil else { throw Fault(.type, "\(function)() got multiple values for argument '\(name)'") }
      values[index] = value
    }
    for index in 0..<required where values[index] == nil {
      throw Fault(.type, "\(function)() missing required argument: '\(names[index])'")
    }
    return values
  }
}

extension Value? {
  /// Returns an argument that must be an integer.
  func integer(or standard: Int, _ name: String) throws(Fault) -> Int {
    guard let value = self else { return standard }
    guard let integer = value.asIndex else {
      throw Fault(.type, "'\(value.typeName)' object cannot be interpreted as an integer (\(name))")
    }
    return integer
  }

  func isTrue(or standard: Bool) -> Bool { self?.isTrue ?? standard }
}
