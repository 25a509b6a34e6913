// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How a family of models writes one call of a function.
package enum CallSyntax: Sendable {
  /// An object with the name and the arguments: `{"name": …, "arguments": {…}}`.
  case object
  /// An object whose only member is named after the function: `{"get_weather": {…}}`.
  case keyedObject
  /// The name, then the arguments as an object.
  case named(NamedCall)
  /// The name, then each argument between tags.
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
    /// The marks at which the name ends. One that begins what follows is not part of the name's end.
    package let nameEnds: [String]
    package var nameAttributesEnd = ""
    package let keyOpen: String
    package let keyEnd: String
    /// Where attributes follow the key, what ends them: `string="true"`, `type="string"`.
    package var attributesEnd = ""
    /// What stands between the key and the value, after white space.
    package var valueOpen = ""
    package let valueEnd: String
    package let close: String
  }

  /// The texts around a call's parts.
  var marks: [String] {
    switch self {
    case .object, .keyedObject: []
    // Mistral's models may write an identifier after the name.
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

/// What became of an attempt to read something from the bytes that have come so far.
enum Attempt<Value> {
  /// It is there, and ends at this offset.
  case complete(Value, end: Int)
  /// It may become it, when more comes.
  case incomplete
  /// It is something else.
  case invalid
}
