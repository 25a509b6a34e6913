// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Generation
import PackFormat
import Tokenization

/// The options for choosing the chat template.
package struct TemplateChoice: ParsableArguments {
  @Option(
    help: """
      The chat template: the name of one of the model's templates, or of a built-in one: \
      \(ChatTemplate.builtInNames.joined(separator: ", ")). (default: the model's own)
      """)
  var template: String?

  @Option(help: "Read the chat template, in Jinja, from this file.", completion: .file())
  var templateFile: String?

  package init() {}

  package func validate() throws {
    if template != nil, templateFile != nil { throw ValidationError("give --template or --template-file, not both") }
  }

  /// Whether a template is chosen.
  package var isGiven: Bool { template != nil || templateFile != nil }

  /// Returns the chosen template; otherwise the model's own, or the built-in one that fits the tokens of the vocabulary.
  package func template(_ pack: Pack, _ tokenizer: Tokenizer) throws -> ChatTemplate {
    guard let templateFile else { return try ChatTemplate(template, metadata: pack.metadata, tokenizer: tokenizer) }
    var template = try ChatTemplate(source: TextInput.read(templateFile))
    template.beginOfText = tokenizer.beginOfText.map(tokenizer.text) ?? ""
    template.endOfText = tokenizer.endOfText.map(tokenizer.text) ?? ""
    return template
  }

  /// Returns the chosen template if there is no model: from a file, by default standard input, or a built-in one.
  package func templateWithoutModel() throws -> ChatTemplate {
    try template.map { name throws in try ChatTemplate(builtIn: name) } ?? ChatTemplate(source: TextInput.read(templateFile ?? "-"))
  }
}
