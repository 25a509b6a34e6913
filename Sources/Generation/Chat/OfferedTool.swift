// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Grammar
import JSON

/// A function that a model may call, as needed for constraining its calls.
struct OfferedTool {
  let name: String
  /// The schema of its arguments; nil: any object.
  let schema: JSONObject?

  /// Reads a function in OpenAI's form.
  ///
  /// - Parameter work: What the schemas of all tools together may cost.
  /// - Throws: `ChatTemplateError.badRequest` if it has no usable name, or if it is strict and its schema cannot be enforced.
  init(_ tool: JSONValue, within work: inout SchemaWork) throws(ChatTemplateError) {
    let function = tool["function"] ?? tool
    guard let name = function["name"]?.string, !name.isEmpty, name.utf8.count <= 256,
      name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"<>{}[]\"\\|:=,".utf8.contains($0) })
    else { throw .badRequest("\"tools\" has a function without a name, or with one that cannot be written in a call") }
    self.name = name
    guard (function["strict"] ?? tool["strict"]) == .bool(true) else {
      schema = nil
      return
    }
    var schema = (function["parameters"] ?? ["type": "object", "properties": [:]]).object ?? JSONObject()
    guard schema["type"] == "object" else {
      throw .badRequest("the function \"\(name)\" is strict, but the type of its parameters is not object")
    }
    if schema["properties"] == nil, schema["additionalProperties"] == nil { schema["properties"] = [:] }
    do throws(GrammarError) { _ = try Grammar(schema: .object(schema), within: &work) } catch {
      throw .badRequest("the function \"\(name)\" is strict, but its parameters cannot be enforced: \(error)")
    }
    self.schema = schema
  }

  /// The language of the arguments as a JSON object.
  var object: Language { .document(schema: schema.map { .object($0) } ?? ["type": "object"], at: "#") }
}
