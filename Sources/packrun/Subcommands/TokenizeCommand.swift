// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import ModelConsole
import PackFormat
import Tokenization

/// `packrun tokenize`: prints the token ids of a text.
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Print the token ids of a text on one line, or the text of token ids.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Argument(help: "The text. (default: what --file or standard input contains)")
  var text: String?

  @Option(name: .shortAndLong, parsing: .unconditional, help: "The text, as an option like llama-tokenize's.")
  var prompt: String?

  @Option(name: .shortAndLong, help: "Read the text from this file; - is standard input.", completion: .file())
  var file: String?

  @Flag(help: "Neither add nor parse special tokens.")
  var noSpecial = false

  @Option(help: "Print the text of these token ids, separated by commas or spaces; - reads them from standard input.")
  var ids: String?

  func validate() throws {
    if ids != nil, given != nil || file != nil { throw ValidationError("give --ids or a text, not both") }
    if text != nil, prompt != nil { throw ValidationError("give the text once: as an argument or with -p") }
  }

  /// The text, if it is given on the command line.
  private var given: String? { text ?? prompt }

  func run() throws {
    let tokenizer = try Tokenizer(metadata: Pack.open(named: pack).metadata)
    if let ids {
      return Output.write(try Self.text(of: TextInput.tokenIDs(ids, below: tokenizer.count), tokenizer, hasAdded: !noSpecial))
    }
    if given == nil, file == nil, StandardStream.input.isTerminal { Terminal.note("reading the text from standard input") }
    let bytes = try given.map(\.pathBytes) ?? TextInput.bytes(file ?? "-")
    let ids = tokenizer.encode(bytes: bytes, addSpecial: !noSpecial, parseSpecial: !noSpecial)
    Output.print(ids.map(String.init).joined(separator: " "))
  }
}

extension TokenizeCommand {
  /// Returns the bytes of the text with these ids.
  ///
  /// If `hasAdded` is set, the tokens that the model wants around a text are left out, because tokenizing adds them.
  private static func text(of ids: [Int32], _ tokenizer: Tokenizer, hasAdded: Bool) -> [UInt8] {
    var ids = ids[...]
    if hasAdded {
      if tokenizer.addsBeginOfText, let begin = tokenizer.beginOfText, ids.first == begin { ids.removeFirst() }
      if tokenizer.addsEndOfText, let end = tokenizer.endOfText, ids.last == end { ids.removeLast() }
    }
    var bytes: [UInt8] = []
    for id in ids { bytes += tokenizer.bytes(of: id, showsControl: true) }
    if tokenizer.addsSpacePrefix, bytes.first == 0x20 { bytes.removeFirst() }
    return bytes
  }
}
