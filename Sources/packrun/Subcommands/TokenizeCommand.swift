// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import PackFormat
import Tokenization

/// `packrun tokenize`: the ids of a text.
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "tokenize", abstract: "Print a text's token ids on one line.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Argument(help: "The text; else a file's or standard input's.")
  var text: String?

  @Option(name: .shortAndLong, help: "Read the text from this file; - is standard input.", completion: .file())
  var file: String?

  @Flag(help: "Neither add nor parse special tokens.")
  var noSpecial = false

  func run() throws {
    try reportingErrors {
      let tokenizer = try Tokenizer(metadata: Pack.open(pack).metadata)
      let bytes = try text.map { Array($0.utf8) } ?? TextInput.bytes(file ?? "-")
      let ids = tokenizer.encode(bytes: bytes, addSpecial: !noSpecial, parseSpecial: !noSpecial)
      print(ids.map(String.init).joined(separator: " "))
    }
  }
}
