// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON

/// A piece of a prompt.
public struct PromptPiece: Sendable, Equatable {
  /// The text.
  public let text: String
  /// Whether the template wrote it. Otherwise it comes from a message or another value of the request.
  ///
  /// Only what the template wrote may become special tokens: a special token must lie within one such piece. The text between
  /// special tokens is tokenized as a whole, even across pieces.
  public let isTemplate: Bool

  /// Makes a piece of a prompt.
  public init(text: String, isTemplate: Bool) {
    self.text = text
    self.isTemplate = isTemplate
  }
}

/// A chat template in Jinja, as Hugging Face transformers runs it.
///
/// This means Jinja2's sandbox with immutable values, `trim_blocks`, `lstrip_blocks`, loop controls, the tag `generation`, the
/// functions `raise_exception` and `strftime_now`, and a filter `tojson` that is Python's `json.dumps`. Parsing takes time linear
/// in the template's size. A parsed template can be rendered any number of times, also from several threads.
///
/// Templates come with models and are not trusted. They can access only the values given to `render`, and `JinjaLimits` limits
/// their time and memory.
public struct JinjaTemplate: Sendable {
  private let program: Program
  private let limits: JinjaLimits

  /// Parses a template.
  ///
  /// - Throws: `JinjaError` if it is not well formed or too large.
  public init(_ source: String, limits: JinjaLimits = JinjaLimits()) throws(JinjaError) {
    var parser = try Parser(source, limits: limits)
    program = try parser.program()
    self.limits = limits
  }

  /// The names of all variables, and all other names, in the template.
  public var names: Set<String> { Set(program.names) }

  /// Renders the template.
  ///
  /// - Parameters:
  ///   - variables: `messages`, `tools`, `add_generation_prompt` and so on. transformers always passes `tools` and `documents`, as
  ///     null if there are none.
  ///   - trusted: The variables whose strings count as the template's own text, such as `bos_token`, so that they may become
  ///     special tokens. All other strings are input.
  ///   - date: What `strftime_now` formats; nil: calling it is an error.
  /// - Returns: The prompt in pieces. None is empty, and consecutive ones differ in `isTemplate`.
  /// - Throws: `JinjaError`; its kind is `raised` if the template refuses the conversation.
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

/// Converts the values of a request to those of the template language, and marks their strings as input.
private struct InputConversion {
  let limits: JinjaLimits
  let isTrusted: Bool

  /// The roles that templates know. `'<|' ~ message.role ~ '|>'` is a common way to write a special token, so a role counts as the
  /// template's own text if it is one of these.
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
