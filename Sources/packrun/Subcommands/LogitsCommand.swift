// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import Glibc
import Inference
import ModelConsole

/// `packrun logits`: writes the model's logits, for programs that check them.
struct LogitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits",
    abstract: "Write the logits of every position as float32, little endian, [tokens][vocabulary].")

  @OptionGroup var model: ModelArguments

  @Option(help: "Token ids, separated by commas or spaces.")
  var ids: String

  @Option(name: .shortAndLong, help: "The file to write.", completion: .file())
  var output: String

  func validate() throws {
    if output == "-" { throw ValidationError("--output -: the logits cannot be written to standard output; name a file") }
  }

  func run() throws {
    let tokens = try TextInput.tokenIDs(ids)
    guard !tokens.isEmpty else { throw Failure("--ids names no token") }
    var model = model
    model.context = model.context ?? max(tokens.count, 16)
    let pack = try model.open()
    Interrupt.watch([SIGINT, SIGTERM, SIGHUP])
    // A result that cannot be written must fail before the weights are read. The file appears complete or not at all.
    var file = try WholeFile<FileError>(output)
    let session = try model.session(pack, readsAllLogits: true)
    var failure: FileError?
    let isRead = try unsafe session.model.append(
      tokens, logitsFrom: 0, isInterrupted: { Interrupt.isRequested || failure != nil }
    ) { _, logits in
      guard failure == nil else { return }
      do throws(FileError) {
        try unsafe file.append(UnsafeRawBufferPointer(logits))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    guard isRead else { throw Failure("interrupted", exitCode: .interrupted) }
    try file.commit()
  }
}
