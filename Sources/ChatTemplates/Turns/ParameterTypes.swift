// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// What the schemas of a request's tools say about the types of parameters: formats that write arguments between tags do not
/// tell `"123"` from `123`.
package struct ParameterTypes: Sendable {
  private var properties: [String: JSONObject] = [:]

  /// - Parameter tools: the tools in OpenAI's form, or bare functions.
  init(tools: JSONValue?) {
    for tool in tools?.array ?? [] {
      let function = tool["function"] ?? tool
      guard let name = function["name"]?.string else { continue }
      properties[name] = function["parameters"]?["properties"]?.object
    }
  }

  /// The value that a text is for a parameter: a string if the schema says so, or the text is not JSON.
  func value(of text: String, for parameter: String, of function: String) -> JSONValue {
    let schema = properties[function]?[parameter]
    if Self.isString(schema) { return .string(text) }
    guard let value = try? JSONValue(parsing: text) else { return .string(text) }
    // `null` in a parameter that may be a string or nothing is nothing; any other text that may be a string is one.
    if case .array(let types)? = schema?["type"], types.contains("string"), value != .null { return .string(text) }
    return value
  }

  /// Whether a parameter is always a string.
  package static func isString(_ schema: JSONValue?) -> Bool {
    if schema?["type"] == "string" { return true }
    if case .array(let choices)? = schema?["enum"], schema?["type"] == nil { return choices.allSatisfy { $0.string != nil } }
    return false
  }
}
