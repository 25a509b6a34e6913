// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Python's equality, order and membership.
extension Value {
  func equals(_ other: Value) -> Bool {
    if isNumber && other.isNumber { return Self.order(self, other) == .equal }
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let left), .string(let right)): return left == right
    case (.list(let left), .list(let right)): return left === right || Self.equal(left.elements, right.elements)
    case (.tuple(let left), .tuple(let right)): return left === right || Self.equal(left.elements, right.elements)
    case (.dictionary(let left), .dictionary(let right)):
      guard left !== right else { return true }
      guard left.count == right.count else { return false }
      return left.entries.allSatisfy { entry in
        let value = try? right.value(for: entry.key)
        return value?.equals(entry.value) ?? false
      }
    case (.range(let left), .range(let right)):
      guard left.count == right.count else { return false }
      return left.count == 0 || left.start == right.start && (left.count == 1 || left.step == right.step)
    case (.view(let left), .view(let right)): return left.kind == right.kind && left.dictionary === right.dictionary
    default: return isSame(as: other)
    }
  }

  private static func equal(_ left: [Value], _ right: [Value]) -> Bool {
    left.count == right.count && zip(left, right).allSatisfy { $0.equals($1) }
  }

  /// Whether Python's `is` holds.
  func isSame(as other: Value) -> Bool {
    switch (self, other) {
    case (.none, .none): true
    case (.bool(let left), .bool(let right)): left == right
    case (.integer(let left), .integer(let right)): left == right && (-5...256).contains(left)
    case (.string(let left), .string(let right)): left == right && left.count < 2
    case (.list(let left), .list(let right)): left === right
    case (.tuple(let left), .tuple(let right)): left === right
    case (.dictionary(let left), .dictionary(let right)): left === right
    case (.generator(let left), .generator(let right)): left === right
    case (.namespace(let left), .namespace(let right)): left === right
    case (.loop(let left), .loop(let right)): left === right
    case (.macro(let left), .macro(let right)): left === right
    case (.function(let left), .function(let right)): left == right
    case (.cycler(let left), .cycler(let right)): left === right
    case (.joiner(let left), .joiner(let right)): left === right
    default: false
    }
  }

  /// The result of a comparison; `unordered` if a number is NaN.
  enum Order { case less, equal, greater, unordered }

  /// Returns the order of two numbers, exact between integers and floats.
  private static func order(_ left: Value, _ right: Value) -> Order {
    switch (left.asInteger, right.asInteger) {
    case (let left?, let right?): return left < right ? .less : left == right ? .equal : .greater
    case (let left?, nil):
      guard case .float(let right) = right else { return .unordered }
      return order(left, right)
    case (nil, let right?):
      guard case .float(let left) = left else { return .unordered }
      switch order(right, left) {
      case .less: return .greater
      case .greater: return .less
      case let order: return order
      }
    case (nil, nil):
      guard case (.float(let left), .float(let right)) = (left, right) else { return .unordered }
      return left < right ? .less : left == right ? .equal : left > right ? .greater : .unordered
    }
  }

  private static func order(_ integer: Int128, _ float: Double) -> Order {
    if float.isNaN { return .unordered }
    guard let whole = Int128(exactly: float.rounded(.down)) else { return float > 0 ? .less : .greater }
    if integer != whole { return integer < whole ? .less : .greater }
    return float == float.rounded(.down) ? .equal : .less
  }

  /// Returns the order of two values. `symbol` is the operator for an error message.
  func order(_ other: Value, _ symbol: String) throws(Fault) -> Order {
    if isNumber && other.isNumber { return Self.order(self, other) }
    switch (self, other) {
    case (.undefined(let undefined), _), (_, .undefined(let undefined)): throw undefined.fault
    case (.string(let left), .string(let right)): return left == right ? .equal : left < right ? .less : .greater
    case (.list(let left), .list(let right)): return try Self.order(left.elements, right.elements, symbol)
    case (.tuple(let left), .tuple(let right)): return try Self.order(left.elements, right.elements, symbol)
    default:
      throw Fault(.type, "'\(symbol)' not supported between instances of '\(typeName)' and '\(other.typeName)'")
    }
  }

  private static func order(_ left: [Value], _ right: [Value], _ symbol: String) throws(Fault) -> Order {
    for (left, right) in zip(left, right) where !left.equals(right) { return try left.order(right, symbol) }
    return left.count < right.count ? .less : left.count == right.count ? .equal : .greater
  }

  func compare(_ operation: Expression.Comparison, _ other: Value) throws(Fault) -> Bool {
    switch operation {
    case .equal: return equals(other)
    case .notEqual: return !equals(other)
    case .less: return try order(other, "<") == .less
    case .greater: return try order(other, ">") == .greater
    case .lessOrEqual:
      let order = try order(other, "<=")
      return order == .less || order == .equal
    case .greaterOrEqual:
      let order = try order(other, ">=")
      return order == .greater || order == .equal
    case .isIn: return try other.contains(self)
    case .isNotIn: return try !other.contains(self)
    }
  }

  /// Whether Python's `element in self` holds.
  func contains(_ element: Value) throws(Fault) -> Bool {
    switch self {
    case .string(let text):
      guard case .string(let part) = element else {
        if case .undefined(let undefined) = element, undefined.kind == .security { throw undefined.fault }
        throw Fault(.type, "'in <string>' requires string as left operand, not \(element.typeName)")
      }
      return text.contains(part)
    case .dictionary(let dictionary): return try dictionary.value(for: element) != nil
    case .range(let range):
      if let integer = element.asInteger { return range.contains(integer) }
      return range.elements.contains { $0.equals(element) }
    case .list, .tuple, .view, .generator, .undefined, .loop: return try elements().contains { $0.equals(element) }
    case .namespace, .none, .bool, .integer, .float, .macro, .function, .method, .cycler, .joiner:
      throw Fault(.type, "argument of type '\(typeName)' is not iterable")
    }
  }

  /// Returns the elements of an iteration over the value.
  func elements() throws(Fault) -> [Value] {
    switch self {
    case .undefined: return []
    case .string(let text): return text.letters.map { .string(Text([$0])) }
    case .list(let list): return list.elements
    case .tuple(let tuple): return tuple.elements
    case .dictionary(let dictionary): return dictionary.entries.map(\.key)
    case .range(let range): return range.elements
    case .view(let view): return view.elements
    case .generator(let generator): return try generator.rest()
    default: throw Fault(.type, "'\(typeName)' object is not iterable")
    }
  }

  var isIterable: Bool {
    switch self {
    case .undefined, .string, .list, .tuple, .dictionary, .range, .view, .generator, .loop: true
    default: false
    }
  }

  /// Returns Python's `len`.
  func length() throws(Fault) -> Int {
    switch self {
    case .undefined: return 0
    case .string(let text): return text.count
    case .list(let list): return list.elements.count
    case .tuple(let tuple): return tuple.elements.count
    case .dictionary(let dictionary): return dictionary.count
    case .range(let range): return range.count
    case .view(let view): return view.dictionary.count
    case .loop(let loop): return loop.items.count
    default: throw Fault(.type, "object of type '\(typeName)' has no len()")
    }
  }
}

extension [Value] {
  /// Returns the values sorted by keys in Python's order. The sort is stable in both directions.
  func sorted(descending: Bool, by key: (Value) throws(Fault) -> Value) throws(Fault) -> [Value] {
    var pairs: [(key: Value, value: Value)] = []
    for value in self { pairs.append((try key(value), value)) }
    var width = 1
    while width < pairs.count {
      var merged: [(key: Value, value: Value)] = []
      merged.reserveCapacity(pairs.count)
      for start in stride(from: 0, to: pairs.count, by: 2 * width) {
        var left = start
        let middle = Swift.min(start + width, pairs.count)
        var right = middle
        let end = Swift.min(start + 2 * width, pairs.count)
        while left < middle && right < end {
          let isRightFirst =
            descending
            ? try pairs[left].key.order(pairs[right].key, "<") == .less
            : try pairs[right].key.order(pairs[left].key, "<") == .less
          merged.append(pairs[isRightFirst ? right : left])
          if isRightFirst { right += 1 } else { left += 1 }
        }
        merged += pairs[left..<middle]
        merged += pairs[right..<end]
      }
      pairs = merged
      width *= 2
    }
    return pairs.map(\.value)
  }
}
