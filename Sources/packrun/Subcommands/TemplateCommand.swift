// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import ChatTemplates
import Console
import Files
import Generation
import Glibc
import JSON
import ModelConsole
import PackFormat
import Tokenization

/// `packrun template`: shows the prompt that a chat template makes of a conversation, and the meaning of a model's turn.
struct TemplateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "template", abstract: "Print the prompt of a conversation, or take a model's turn apart.",
    discussion: """
      --request FILE prints the prompt, and nothing else: FILE holds a JSON object with messages, and optionally tools, documents, \
      add_generation_prompt (true unless given) and chat_template_kwargs. Exit code 1: the template refuses the conversation, or fails.
      --parse FORMAT --text FILE prints a JSON object with the reasoning_content, content and tool_calls of what a model wrote. With \
      --request, arguments get the types that its tools declare.
      The formats: \(TurnFormat.names.joined(separator: ", ")).
      """)

  @Argument(help: "The pack whose template and special tokens to use.", completion: .directory)
  var pack: String?

  @OptionGroup var template: TemplateArguments

  @Option(help: "Read the conversation from this file; - is standard input.", completion: .file())
  var request: String?

  @Option(help: "The begin-of-text token, as the template writes it. (default: the model's)")
  var bos: String?

  @Option(help: "The end-of-text token. (default: the model's)")
  var eos: String?

  @Option(
    help: "Take a turn apart in this format: its name, a pack, or the file of a chat template.", completion: .file())
  var parse: String?

  @Option(help: "The turn to take apart, special tokens included; - is standard input.", completion: .file())
  var text: String?

  @Option(help: "How the prompt of the turn ends, which says whether the model is already thinking. (default: guessed)")
  var promptEnd: String?

  func validate() throws {
    if (parse == nil) != (text == nil) { throw ValidationError("--parse FORMAT and --text FILE go together") }
    if parse == nil, request == nil { throw ValidationError("give --request FILE, or --parse FORMAT with --text FILE") }
    if parse != nil, pack != nil { throw ValidationError("give the pack to --parse: --parse MODEL.pack") }
    if parse == nil, pack == nil, !template.choice.isGiven {
      throw ValidationError("give a pack, --template-file FILE or --template NAME")
    }
    if request == "-", text == "-" { throw ValidationError("--request and --text cannot both be standard input") }
  }

  func run() throws {
    if let parse, let text { return try takeApart(text, as: parse) }
    guard let request else { return }
    var conversation = try Self.request(request)
    for (name, value) in try template.variables().members { conversation.variables[name] = value }
    for piece in try chosenTemplate().render(conversation) { Output.write(piece.text) }
  }

  /// Reads the request in a file.
  static func request(_ path: String) throws -> ChatRequest {
    let name = path == "-" ? "standard input" : path
    do {
      return try ChatRequest(JSONValue(parsing: TextInput.bytes(path)))
    } catch let error as JSONError {
      throw Failure("\(name): not JSON: \(error)")
    } catch let error as ChatTemplateError {
      throw Failure("\(name): \(error)")
    }
  }

  private func chosenTemplate() throws -> ChatTemplate {
    var chosen: ChatTemplate
    if let pack {
      let pack = try Pack.open(named: pack)
      chosen = try template.template(pack, Tokenizer(metadata: pack.metadata))
    } else {
      chosen = try template.templateWithoutModel()
    }
    if let bos { chosen.beginOfText = try TextInput.decode(bos.pathBytes, "--bos") }
    if let eos { chosen.endOfText = try TextInput.decode(eos.pathBytes, "--eos") }
    return chosen
  }

  // MARK: Turns

  private func takeApart(_ file: String, as name: String) throws {
    let format = try format(name)
    let output = try TextInput.read(file)
    let tools = try request.map { try Self.request($0).tools } ?? nil
    let end = try promptEnd.map { try TextInput.decode($0.pathBytes, "--prompt-end") }
    let thinks = end == nil && format.continuesReasoning(output)
    let turn = TurnParser.turn(
      of: output, format: format, prompt: end ?? (thinks ? format.reasoningOpening ?? "" : ""), tools: tools)
    var document = JSONObject()
    document.set("reasoning_content", turn.reasoning)
    document.set("content", turn.content)
    document["tool_calls"] = .array(turn.calls.map(\.document))
    Output.print(document: document)
  }

  private static func exists(_ path: String) -> Bool { unsafe path.withPath { unsafe access($0, F_OK) } == 0 }

  private func format(_ name: String) throws -> TurnFormat {
    if let format = TurnFormat(named: name) { return format }
    if name.hasSuffix(".jinja") { return TurnFormat(recognizedIn: try TextInput.read(name)) }
    guard Self.exists(name) || Self.exists(name + ".pack") else {
      throw Failure(
        "--parse \(name): neither a format nor a pack; the formats are \(TurnFormat.names.joined(separator: ", "))",
        exitCode: .wrongUsage)
    }
    let pack = try Pack.open(named: name)
    return try template.template(pack, Tokenizer(metadata: pack.metadata)).turnFormat
  }
}

extension ToolCall {
  /// The call as an object with its name, its arguments and, if it has one, its id.
  var document: JSONValue {
    var document = JSONObject()
    document.set("id", id)
    document.set("name", name)
    document.set("arguments", arguments)
    return .object(document)
  }
}
