// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
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

  /// Writes beside the file and renames, so that the file is whole or not there.
  private func write(_ tokens: [Int32], _ model: Model) throws {
    let partial = output + ".part"
    guard let file = unsafe fopen(partial, "w") else { throw Failure.system(output, "create it", errno: errno) }
    var isWritten = true
    do {
      try unsafe model.append(tokens, logitsFrom: 0) { _, logits in
        isWritten = unsafe isWritten && fwrite(logits.baseAddress, 4, logits.count, file) == logits.count
      }
    } catch {
      unsafe fclose(file)
      _ = unsafe unlink(partial)
      throw error
    }
    guard unsafe fclose(file) == 0, isWritten, unsafe rename(partial, output) == 0 else {
      let error = Failure.system(output, "write it", errno: errno)
      _ = unsafe unlink(partial)
      throw error
    }
  }
}
