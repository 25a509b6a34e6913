// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import GGUF
import PackFormat
import Repack

/// `ggufpack restore`: writes the GGUF that a pack was made from.
struct RestoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Write the GGUF that a pack was made from, bit for bit.",
    discussion: """
      A split model is restored as the same parts with the same names, in a folder. The pack is verified first. With --check, nothing \
      is written: the file at --output is compared with what would be written, and the exit code is 1 if they differ.
      """)

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Option(name: .shortAndLong, help: "The file to write; for a split model, the folder.", completion: .file(extensions: ["gguf"]))
  var output: String

  @Flag(help: "Compare the output with what would be written; write nothing.")
  var check = false

  @OptionGroup var writing: WritingArguments

  func validate() throws { try checkOutput(output) }

  func run() throws {
    let pack = try Pack.open(named: pack)
    let restorer = PackRestorer(pack)
    if check {
      try verifyFirst(pack, isQuiet: writing.quiet)
      return try compare(restorer)
    }
    try withProgress("restoring", total: restorer.byteCount, isQuiet: writing.quiet) { advance in
      try restorer.run(to: output, replacing: writing.force, progress: advance) { () throws(PackError) in
        try verifyFirst(pack, isQuiet: writing.quiet)
      }
    }
    if !writing.quiet { Output.print(line: "\(output.oneLine): \(ByteCount(restorer.byteCount))") }
  }

  private func compare(_ restorer: PackRestorer) throws {
    let first = restorer.isSplit ? output + "/" + restorer.pack.manifest.source[0].name : output
    try compareSource(restorer, with: first, isQuiet: writing.quiet)
    if !writing.quiet { Output.print(line: "\(output.oneLine): identical, \(ByteCount(restorer.byteCount))") }
  }
}

/// Compares the source at `path` with what `restorer` would write. A difference ends the program with exit code 1.
func compareSource(_ restorer: PackRestorer, with path: String, isQuiet: Bool) throws {
  let model = try GGUFModel.open(path)
  do {
    try withProgress("comparing", total: restorer.byteCount, isQuiet: isQuiet) { try restorer.compare(with: model, progress: $0) }
  } catch PackError.invalid(let file, let problem) {
    throw Failure(PackError.invalid(file: file, problem: problem).description, exitCode: .failed)
  }
}
