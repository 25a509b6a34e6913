// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Grammar
import JSON
import ModelConsole

/// The options that constrain an answer.
struct GrammarArguments: ParsableArguments {
  @Option(
    help:
      "Let the model write only a JSON document that fits the schema in this file. A schema with unsupported keywords is refused.",
    completion: .file())
  var jsonSchema: String?

  @Option(
    help: "Let the model write only what the grammar in this file allows, in llama.cpp's GBNF.", completion: .file())
  var grammar: String?

  /// Whether one of the options is given.
  var isGiven: Bool { jsonSchema != nil || grammar != nil }

  func validate() throws {
    if jsonSchema != nil, grammar != nil { throw ValidationError("give --json-schema or --grammar, not both") }
  }

  /// Compiles the given grammar; nil if the answer is free.
  func compiled() throws -> Grammar? {
    guard let path = jsonSchema ?? grammar else { return nil }
    let name = path == "-" ? "standard input" : path
    let text = try TextInput.read(path)
    do {
      return jsonSchema == nil ? try Grammar(gbnf: text) : try Grammar(schema: JSONValue(parsing: text))
    } catch let error as JSONError {
      throw Failure("\(name): not JSON: \(error)")
    } catch let error as GrammarError {
      throw Failure("\(name): \(error)")
    }
  }
}
