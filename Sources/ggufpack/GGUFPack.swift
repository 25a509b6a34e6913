// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Glibc

/// The program, with its subcommands and version.
@main
struct GGUFPack: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ggufpack",
    abstract: "Repack GGUF models for machines with several NUMA nodes: once, offline, and without losing a bit.",
    discussion: """
      A pack is a folder with an aligned blob of weights for each node. The weights are laid out for integer dot products, and every \
      chunk has a digest. packrun runs packs.
      """,
    version: Version.description,
    subcommands: [
      ConvertCommand.self, VerifyCommand.self, InspectCommand.self, RestoreCommand.self, RepackCommand.self, CompressCommand.self,
      DecompressCommand.self,
    ])

  /// Runs the program. Work that a signal ends leaves nothing half done.
  static func main() {
    Interrupt.watch([SIGINT, SIGTERM, SIGHUP])
    launch()
  }
}
