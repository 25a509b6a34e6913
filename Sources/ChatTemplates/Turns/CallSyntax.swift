// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How a family of models writes one call of a function.
package enum CallSyntax: Sendable {
  /// An object with the name and the arguments: `{"name": …, "arguments": {…}}`.
  case object
  /// An object whose only member is named after the function: `{"get_weather": {…}}`.
  case keyedObject
  /// The name, followed by the arguments as an object.
  case named(NamedCall)
  /// The name, followed by each argument between tags.
  case tagged(TaggedCall)
  /// `call:name{key:<|"|>text<|"|>,key:1}`.
  case gemma

  /// `open name nameEnd {…} close`.
  package struct NamedCall: Sendable {
    package let open: String
    package let nameEnd: String
    package let close: String
  }

  /// `open name nameEnd (keyOpen key keyEnd attributes attributesEnd valueOpen value valueEnd)* close`.
  package struct TaggedCall: Sendable {
    package let open: String
    /// The marks at which the name ends. If the mark also begins what follows, it is not consumed with the name.
    package let nameEnds: [String]
    /// The mark that ends attributes after the name; empty if there are none.
    package var nameAttributesEnd = ""
    package let keyOpen: String
    package let keyEnd: String
    /// The mark that ends the attributes after a key, such as `string="true"` or `type="string"`; empty if there are none.
    package var attributesEnd = ""
    /// The text between key and value, after white space.
    package var valueOpen = ""
    package let valueEnd: String
    package let close: String
  }

  /// The texts around the parts of a call.
  var marks: [String] {
    switch self {
    case .object, .keyedObject: []
    // Mistral's models may write an id after the name.
    case .named(let call): [call.open, call.nameEnd, call.close, "[CALL_ID]"]
    case .tagged(let call):
      call.nameEnds
        + [
          call.open, call.nameAttributesEnd, call.keyOpen, call.keyEnd, call.attributesEnd, call.valueOpen, call.valueEnd,
          call.close,
        ]
    case .gemma: ["<|tool_call>", "<tool_call|>", "<|\"|>"]
    }
  }
}

/// The result of trying to read something from the bytes received so far.
enum Attempt<Value> {
  /// It was read, and ends at this offset.
  case complete(Value, end: Int)
  /// More bytes may complete it.
  case incomplete
  /// It is something else.
  case invalid
}
