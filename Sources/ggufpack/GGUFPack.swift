// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser

/// The program: its subcommands and its version.
@main
struct GGUFPack: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ggufpack",
    abstract: "Repacks GGUF models for CPUs with several NUMA nodes: once, offline, without losing a bit.",
    discussion: """
      A pack is a folder with an aligned blob of weights for each node, laid out for integer dot products, with a digest of every \
      chunk. Run it with packrun.
      """,
    version: "0.1.0",
    subcommands: [
      ConvertCommand.self, VerifyCommand.self, InspectCommand.self, RestoreCommand.self, RepackCommand.self, CompressCommand.self,
      DecompressCommand.self,
    ])

  /// Runs the program.
  static func main() {
    Interruption.shared.listen()
    main(nil)
  }
}
