// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A dictionary in the order in which its keys were first inserted, with keys of any type that Python can hash.
final class DictionaryValue {
  private(set) var entries: [(key: Value, value: Value)] = []
  private var places: [DictionaryKey: Int] = [:]
  private(set) var depth = 1

  init() {}

  private init(entries: [(key: Value, value: Value)], places: [DictionaryKey: Int], depth: Int) {
    self.entries = entries
    self.places = places
    self.depth = depth
  }

  init(_ entries: [(key: Value, value: Value)]) throws(Fault) {
    for entry in entries { try set(entry.key, to: entry.value) }
  }

  /// Makes a dictionary with strings as keys.
  init(names: [(Text, Value)]) {
    for (name, value) in names { set(.string(name), .string(name), value) }
  }

  var count: Int { entries.count }

  func value(for key: Value) throws(Fault) -> Value? { places[try DictionaryKey(key)].map { entries[$0].value } }
  func value(named name: Text) -> Value? { places[.string(name)].map { entries[$0].value } }

  private func set(_ key: Value, to value: Value) throws(Fault) { set(try DictionaryKey(key), key, value) }

  private func set(_ place: DictionaryKey, _ key: Value, _ value: Value) {
    depth = max(depth, value.depth + 1)
    if let index = places[place] {
      entries[index].value = value
    } else {
      places[place] = entries.count
      entries.append((key, value))
    }
  }

  /// Returns a copy with one value set. The receiver does not change, because other values may refer to it.
  func setting(_ key: Value, to value: Value) -> DictionaryValue {
    let copy = DictionaryValue(entries: entries, places: places, depth: depth)
    if case .string(let name) = key { copy.set(.string(name), key, value) }
    return copy
  }
}

/// The identity of a dictionary's key: 1, 1.0 and true are the same key.
enum DictionaryKey: Hashable {
  case string(Text)
  case integer(Int128)
  case float(Double)
  case none
  case undefined
  case tuple([DictionaryKey])
  case range(Int, Int, Int)
  case object(ObjectIdentifier)
  case function(String)

  init(_ value: Value) throws(Fault) {
    switch value {
    case .string(let text): self = .string(text)
    case .bool(let bool): self = .integer(bool ? 1 : 0)
    case .integer(let integer): self = .integer(integer)
    case .float(let float): self = Int128(exactly: float).map(DictionaryKey.integer) ?? .float(float)
    case .none: self = .none
    case .undefined: self = .undefined
    case .tuple(let tuple):
      var parts: [DictionaryKey] = []
      for element in tuple.elements { parts.append(try DictionaryKey(element)) }
      self = .tuple(parts)
    case .list, .dictionary, .view: throw Fault(.type, "unhashable type: '\(value.typeName)'")
    case .range(let range): self = .range(range.start, range.end, range.step)
    case .generator(let object): self = .object(ObjectIdentifier(object))
    case .namespace(let object): self = .object(ObjectIdentifier(object))
    case .loop(let object): self = .object(ObjectIdentifier(object))
    case .macro(let object): self = .object(ObjectIdentifier(object))
    case .method(let object): self = .object(ObjectIdentifier(object))
    case .cycler(let object): self = .object(ObjectIdentifier(object))
    case .joiner(let object): self = .object(ObjectIdentifier(object))
    case .function(let function): self = .function(function.rawValue)
    }
  }
}
