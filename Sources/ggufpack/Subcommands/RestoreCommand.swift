import ArgumentParser
import PackFormat
import Repack

/// `ggufpack restore`: from a pack back to the GGUF.
struct RestoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Write the GGUF that a pack was made from, bit for bit.",
    discussion: "A model that was split is restored as the same parts, under their names in a folder.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Option(name: .shortAndLong, help: "The file to write; of a split model the folder.", completion: .file(extensions: ["gguf"]))
  var output: String

  @Flag(help: "Replace what is there.")
  var force = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors.")
  var quiet = false

  func run() throws {
    try reportingErrors {
      let restorer = PackRestorer(try Pack.open(pack))
      var progress = Progress("restoring", total: restorer.byteCount, isQuiet: quiet)
      try restorer.run(to: output, replacing: force) { progress.advance($0) }
      progress.finish()
      if !quiet { print("\(output): \(ByteCount(restorer.byteCount))") }
    }
  }
}
