// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The members of a JSON object, in the order in which they were written.
///
/// Names are compared by Unicode scalars: `é` as one scalar and `é` as two are different names, although Swift's `String` treats them as
/// equal. Looking up a name takes constant time; removing one takes linear time.
public struct JSONObject: Sendable, Equatable {
  /// A member of the object.
  public typealias Member = (name: String, value: JSONValue)

  /// The members in order.
  public private(set) var members: [Member] = []
  private var positions: [ScalarName: Int] = [:]

  /// An object without members.
  public init() {}

  /// An object with these members. If a name occurs twice, the last value counts, at the place of the first.
  public init(_ members: [(String, JSONValue)]) {
    for (name, value) in members { self[name] = value }
  }

  /// How many members there are.
  public var count: Int { members.count }

  /// Whether there are no members.
  public var isEmpty: Bool { members.isEmpty }

  /// The value with this name. Setting a new name appends it; setting nil removes it.
  public subscript(name: String) -> JSONValue? {
    get { positions[ScalarName(name)].map { members[$0].value } }
    set {
      let key = ScalarName(name)
      switch (positions[key], newValue) {
      case (let position?, let value?): members[position].value = value
      case (nil, let value?):
        positions[key] = members.count
        members.append((name, value))
      case (let position?, nil):
        members.remove(at: position)
        positions[key] = nil
        for index in position..<members.count { positions[ScalarName(members[index].name)] = index }
      case (nil, nil): break
      }
    }
  }

  /// Returns whether both have the same names with the same values, in any order.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.count == right.count && left.members.allSatisfy { right[$0.name] == $0.value }
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  /// The object with these members.
  public init(dictionaryLiteral members: (String, JSONValue)...) { self.init(members) }
}

/// A string that compares and hashes by its UTF-8 bytes.
struct ScalarName: Hashable, Sendable {
  let text: String

  init(_ text: String) { self.text = text }

  static func == (left: ScalarName, right: ScalarName) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

  func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
  }
}
