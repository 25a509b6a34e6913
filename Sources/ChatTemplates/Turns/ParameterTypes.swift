// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// The types of parameters in the schemas of a request's tools. They are needed because formats with arguments between tags write
/// `"123"` and `123` alike.
package struct ParameterTypes: Sendable {
  private var properties: [String: JSONObject] = [:]

  /// - Parameter tools: The tools in OpenAI's form, or functions alone.
  init(tools: JSONValue?) {
    for tool in tools?.array ?? [] {
      let function = tool["function"] ?? tool
      guard let name = function["name"]?.string else { continue }
      properties[name] = function["parameters"]?["properties"]?.object
    }
  }

  /// Returns the value that a text stands for: a string if the schema says so or the text is not JSON.
  func value(of text: String, for parameter: String, of function: String) -> JSONValue {
    let schema = properties[function]?[parameter]
    if Self.isString(schema) { return .string(text) }
    guard let value = try? JSONValue(parsing: text) else { return .string(text) }
    // If the parameter may be a string or null, `null` is null. Any other text that may be a string is a string.
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
