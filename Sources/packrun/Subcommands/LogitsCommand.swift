// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import Glibc
import Inference

/// `packrun logits`: what the model computes, for programs that check it.
struct LogitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits",
    abstract: "Write the logits of every position as float32, little endian, [tokens][vocabulary].")

  @OptionGroup var model: ModelArguments

  @Option(help: "Token ids, separated by commas or spaces.")
  var ids: String

  @Option(name: .shortAndLong, help: "The file to write.", completion: .file())
  var output: String

  func run() throws {
    let tokens = try ids.split { $0 == "," || $0.isWhitespace }.map { word in
      guard let id = Int32(word) else { throw Failure("--ids: '\(word)' is not a token id") }
      return id
    }
    guard !tokens.isEmpty else { throw Failure("--ids: there is no token id in it") }
    var model = model
    model.context = model.context ?? max(tokens.count, 16)
    let session = try model.session(model.open(), readsAllLogits: true)
    try write(tokens, session.model)
  }

  /// The file is whole or not there.
  private func write(_ tokens: [Int32], _ model: Model) throws {
    var file = try WholeFile<FileError>(output)
    var failure: FileError?
    try unsafe model.append(tokens, logitsFrom: 0) { _, logits in
      guard failure == nil else { return }
      do throws(FileError) {
        try unsafe file.append(UnsafeRawBufferPointer(logits))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    try file.commit()
  }
}
