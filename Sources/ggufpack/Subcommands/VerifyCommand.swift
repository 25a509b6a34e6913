import ArgumentParser
import GGUF
import PackFormat
import Repack

/// `ggufpack verify`: a pack against its digests.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check every byte of a pack against its digests.",
    discussion: "Exit code 0: good; 1: damaged, with a line for each damaged chunk; 2: unreadable.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Option(help: "Also prove that the pack was made from this model.", completion: .file(extensions: ["gguf"]))
  var source: String?

  @Flag(name: .shortAndLong, help: "Print nothing but errors.")
  var quiet = false

  func run() throws {
    try reportingErrors {
      let opened = try open()
      let verifier = PackVerifier(opened)
      var progress = Progress("verifying", total: verifier.byteCount, isQuiet: quiet)
      let damage = try verifier.run { progress.advance($0) }
      progress.finish()
      for problem in damage { Terminal.complain(problem.description) }
      guard damage.isEmpty else { throw ExitCode.damaged }
      if let source { try compare(opened, with: source) }
      if !quiet { print("\(pack): good, \(ByteCount(verifier.byteCount)) in \(opened.manifest.blobs.count) blobs") }
    }
  }

  /// Opens the pack; a manifest or header that does not have its digest is damage too.
  private func open() throws -> Pack {
    do {
      return try Pack.open(pack)
    } catch {
      guard case .damaged = error else { throw error }
      Terminal.complain(error.description)
      throw ExitCode.damaged
    }
  }

  private func compare(_ pack: Pack, with source: String) throws {
    let restorer = PackRestorer(pack)
    var progress = Progress("comparing", total: restorer.byteCount, isQuiet: quiet)
    let model = try GGUFModel.open(source)
    do {
      try restorer.compare(with: model) { progress.advance($0) }
    } catch {
      progress.finish()
      guard case .invalid = error else { throw error }
      Terminal.complain(error.description)
      throw ExitCode.damaged
    }
    progress.finish()
  }
}
