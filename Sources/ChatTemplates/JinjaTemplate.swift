// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// A piece of a prompt.
public struct PromptPiece: Sendable, Equatable {
  /// The text.
  public let text: String
  /// Whether the template wrote it, rather than a message or another value that came with the request.
  ///
  /// Only what the template wrote may become special tokens: a special token has to lie within one such piece. Pieces
  /// between special tokens are tokenized together, as the text that they make.
  public let isTemplate: Bool

  /// A piece of a prompt.
  public init(text: String, isTemplate: Bool) {
    self.text = text
    self.isTemplate = isTemplate
  }
}

/// A chat template in the language of Jinja, as Hugging Face transformers runs it.
///
/// That is Jinja2's sandbox with immutable values, `trim_blocks`, `lstrip_blocks`, loop controls, the tag `generation`, the
/// functions `raise_exception` and `strftime_now`, and a filter `tojson` that is Python's `json.dumps`. Reading one takes time
/// linear in its size; it can then be rendered often, from several threads.
///
/// Templates come with models and are not trusted: they reach nothing but the values given to `render`, and `JinjaLimits` bounds
/// their time and memory.
public struct JinjaTemplate: Sendable {
  private let program: Program
  private let limits: JinjaLimits

  /// Reads a template.
  ///
  /// - Throws: `JinjaError` where it is not well formed or too large.
  public init(_ source: String, limits: JinjaLimits = JinjaLimits()) throws(JinjaError) {
    var parser = try Parser(source, limits: limits)
    program = try parser.program()
    self.limits = limits
  }

  /// The names of all variables, and of all else, that the template mentions.
  public var names: Set<String> { Set(program.names) }

  /// Renders the template.
  ///
  /// - Parameters:
  ///   - variables: `messages`, `tools`, `add_generation_prompt` and so on. transformers gives `tools` and `documents` always, as
  ///     null where there are none.
  ///   - trusted: the variables whose strings count as the template's own text, such as `bos_token`: the strings may become
  ///     special tokens. All other strings are input.
  ///   - date: what `strftime_now` formats.
  /// - Returns: the prompt in pieces, none empty; two that follow each other differ in `isTemplate`.
  /// - Throws: `JinjaError`; of kind `raised` where the template refuses the conversation.
  public func render(
    _ variables: JSONObject, trusted: Set<String> = ["bos_token", "eos_token"], date: TemplateDate? = nil
  ) throws(JinjaError) -> [PromptPiece] {
    var values: [String: Value] = [:]
    for (name, value) in variables.members {
      let conversion = InputConversion(limits: limits, isTrusted: trusted.contains(name))
      do throws(Fault) {
        values[name] = try conversion.value(of: value, depth: 0)
      } catch {
        throw error.at(.start)
      }
    }
    let interpreter = Interpreter(program, variables: values, date: date, limits: limits)
    return Self.pieces(try interpreter.render())
  }

  private static func pieces(_ letters: [Letter]) -> [PromptPiece] {
    var pieces: [PromptPiece] = []
    var start = 0
    while start < letters.count {
      let isInput = letters[start].isInput
      let end = letters[start...].firstIndex { $0.isInput != isInput } ?? letters.count
      pieces.append(PromptPiece(text: Text(letters[start..<end]).string, isTemplate: !isInput))
      start = end
    }
    return pieces
  }
}

/// Turns the values of a request into those of the language, and marks their strings.
private struct InputConversion {
  let limits: JinjaLimits
  let isTrusted: Bool

  /// The roles that templates know. `'<|' ~ message.role ~ '|>'` is a common way to write a special token, so a role counts as
  /// the template's own text if it is one of these.
  private static let roles: Set<String> = [
    "system", "developer", "user", "assistant", "model", "tool", "function", "ipython", "observation", "environment", "context",
    "documents", "latest_reminder", "root", "platform",
  ]

  func value(of value: JSONValue, depth: Int) throws(Fault) -> Value {
    guard depth < limits.valueDepth else {
      throw Fault(.limit, "a variable is nested more than \(limits.valueDepth) levels deep")
    }
    switch value {
    case .null: return .none
    case .bool(let bool): return .bool(bool)
    case .integer(let integer): return .integer(integer)
    case .number(let number): return .float(number)
    case .string(let string): return .string(Text(string, isInput: !isTrusted))
    case .array(let array):
      var elements: [Value] = []
      elements.reserveCapacity(array.count)
      for element in array { elements.append(try self.value(of: element, depth: depth + 1)) }
      return .list(ListValue(elements))
    case .object(let object):
      var entries: [(Text, Value)] = []
      entries.reserveCapacity(object.count)
      for (name, value) in object.members {
        if name == "role", case .string(let role) = value, Self.roles.contains(role) {
          entries.append((Text(name, isInput: !isTrusted), .string(Text(role))))
        } else {
          entries.append((Text(name, isInput: !isTrusted), try self.value(of: value, depth: depth + 1)))
        }
      }
      return .dictionary(DictionaryValue(names: entries))
    }
  }
}
