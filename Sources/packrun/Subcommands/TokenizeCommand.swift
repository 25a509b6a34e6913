// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import PackFormat
import Tokenization

/// `packrun tokenize`: the ids of a text.
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Print the token ids of a text on one line.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Argument(help: "The text. (default: what --file or standard input contains)")
  var text: String?

  @Option(name: .shortAndLong, help: "Read the text from this file; - is standard input.", completion: .file())
  var file: String?

  @Flag(help: "Neither add nor parse special tokens.")
  var noSpecial = false

  func run() throws {
    let tokenizer = try Tokenizer(metadata: Pack.open(named: pack).metadata)
    if text == nil, file == nil, StandardStream.input.isTerminal { Terminal.note("reading the text from standard input") }
    let bytes = try text.map(\.pathBytes) ?? TextInput.bytes(file ?? "-")
    let ids = tokenizer.encode(bytes: bytes, addSpecial: !noSpecial, parseSpecial: !noSpecial)
    Output.print(ids.map(String.init).joined(separator: " "))
  }
}
