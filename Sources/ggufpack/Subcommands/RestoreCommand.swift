// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import GGUF
import PackFormat
import Repack

/// `ggufpack restore`: from a pack back to the GGUF.
struct RestoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Write the GGUF that a pack was made from, bit for bit.",
    discussion: """
      A model that was split is restored as the same parts, under their names in a folder. The pack is verified first. With --check \
      nothing is written: what is at the output is compared; exit code 1 if it differs.
      """)

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Option(name: .shortAndLong, help: "The file to write; of a split model the folder.", completion: .file(extensions: ["gguf"]))
  var output: String

  @Flag(help: "Compare what is there with what would be written; write nothing.")
  var check = false

  @OptionGroup var writing: WritingArguments

  func run() throws {
    try reportingErrors {
      let pack = try openPack(pack)
      try verifyFirst(pack, isQuiet: writing.quiet)
      let restorer = PackRestorer(pack)
      if check { return try compare(restorer) }
      var progress = Progress("restoring", total: restorer.byteCount, isQuiet: writing.quiet)
      try restorer.run(to: output, replacing: writing.force) { (bytes) throws(PackError) in try progress.advance(bytes) }
      progress.finish()
      if !writing.quiet { print("\(output): \(ByteCount(restorer.byteCount))") }
    }
  }

  private func compare(_ restorer: PackRestorer) throws {
    let first = restorer.isSplit ? output + "/" + restorer.pack.manifest.source[0].name : output
    try compareSource(restorer, with: first, isQuiet: writing.quiet)
    if !writing.quiet { print("\(output): equal, \(ByteCount(restorer.byteCount))") }
  }
}

/// Compares the source at `path` with what `restorer` would write; a difference ends the program with exit code 1.
func compareSource(_ restorer: PackRestorer, with path: String, isQuiet: Bool) throws {
  let model = try GGUFModel.open(path)
  var progress = Progress("comparing", total: restorer.byteCount, isQuiet: isQuiet)
  do {
    try restorer.compare(with: model) { (bytes) throws(PackError) in try progress.advance(bytes) }
  } catch {
    progress.finish()
    guard case .invalid = error else { throw error }
    Terminal.complain(error.description)
    throw ExitCode.damaged
  }
  progress.finish()
}
