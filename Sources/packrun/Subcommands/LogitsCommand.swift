// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Glibc
import Inference

/// `packrun logits`: what the model computes, for whoever checks it.
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
    try reportingErrors {
      let tokens = try ids.split { $0 == "," || $0.isWhitespace }.map { word in
        guard let id = Int32(word) else { throw InputError(description: "--ids: '\(word)' is no token id") }
        return id
      }
      guard !tokens.isEmpty else { throw InputError(description: "--ids: there is no token id in it") }
      var model = model
      model.context = model.context ?? max(tokens.count, 16)
      let session = try model.session(model.open(), readsAllLogits: true)
      try write(tokens, session.model)
    }
  }

  /// Writes beside the file and renames, so that the file is whole or not there.
  private func write(_ tokens: [Int32], _ model: Model) throws {
    let partial = output + ".part"
    guard let file = fopen(partial, "w") else { throw failure("create") }
    var isWritten = true
    do {
      try model.append(tokens, logitsFrom: 0) { _, logits in
        isWritten = isWritten && fwrite(logits.baseAddress, 4, logits.count, file) == logits.count
      }
    } catch {
      fclose(file)
      unlink(partial)
      throw error
    }
    guard fclose(file) == 0, isWritten, rename(partial, output) == 0 else {
      let error = failure("write")
      unlink(partial)
      throw error
    }
  }

  private func failure(_ operation: String) -> InputError {
    InputError(description: "\(output): cannot \(operation): \(String(cString: strerror(errno)))")
  }
}
