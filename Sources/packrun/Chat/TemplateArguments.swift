// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import ChatTemplates
import Console
import Generation
import JSON
import ModelConsole
import PackFormat
import Tokenization

/// The options for turning conversations into prompts.
struct TemplateArguments: ParsableArguments {
  @OptionGroup var choice: TemplateChoice

  @Option(help: "Variables of the chat template as a JSON object, such as '{\"enable_thinking\": false}'.")
  var templateArgs: String?

  @Option(help: "The date that the template sees, such as 2026-03-01 or 2026-03-01T12:30:00. (default: now)")
  var date: String?

  /// Whether one of the options is given.
  var isGiven: Bool { choice.isGiven || templateArgs != nil || date != nil }

  func validate() throws {
    if let date, TemplateDate(iso: date) == nil {
      throw ValidationError("--date \(date): write a date such as 2026-03-01, or with a time, 2026-03-01T12:30:00")
    }
  }

  /// Returns the requested template; otherwise the model's own, or the built-in one that fits the tokens of the vocabulary.
  func template(_ pack: Pack, _ tokenizer: Tokenizer) throws -> ChatTemplate {
    var template = try choice.template(pack, tokenizer)
    if !choice.isGiven, let name = template.builtInName {
      Terminal.note("the model has no chat template; using the \(name) template, guessed from the vocabulary")
    }
    template.date = chosenDate
    return template
  }

  /// Returns the requested template if there is no model: from a file, or a built-in one.
  func templateWithoutModel() throws -> ChatTemplate {
    var template = try choice.templateWithoutModel()
    template.date = chosenDate
    return template
  }

  /// The date for templates that ask for the present.
  var chosenDate: TemplateDate? { date.flatMap { TemplateDate(iso: $0) } ?? .now }

  /// Returns the variables given with `--template-args`.
  func variables() throws -> JSONObject {
    guard let templateArgs else { return JSONObject() }
    let text = try TextInput.decode(templateArgs.pathBytes, "--template-args")
    do {
      return try ChatRequest.variables(JSONValue(parsing: text), "--template-args")
    } catch let error as JSONError {
      throw Failure("--template-args: not JSON: \(error)", exitCode: .wrongUsage)
    }
  }
}

extension TemplateDate {
  /// Parses a date such as `2026-03-01`, or with a time, `2026-03-01T12:30:00`; nil if it is neither.
  init?(iso text: String) {
    let parts = text.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
    func numbers(_ part: Substring, _ separator: Character) -> [Int]? {
      let fields = part.split(separator: separator, omittingEmptySubsequences: false)
      let numbers = fields.compactMap { $0.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) ? Int($0) : nil }
      return fields.count == 3 && numbers.count == 3 ? numbers : nil
    }
    guard let day = numbers(parts[0], "-"), let time = parts.count == 2 ? numbers(parts[1], ":") : [0, 0, 0] else { return nil }
    self.init(year: day[0], month: day[1], day: day[2], hour: time[0], minute: time[1], second: time[2])
  }
}
