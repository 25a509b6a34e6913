// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser

/// The program: its subcommands and its version.
@main
struct Packrun: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "packrun",
    abstract: "Runs the packs that ggufpack writes, each node's threads on the weights that lie on their node.",
    discussion: "packrun MODEL.pack -p PROMPT continues a prompt; without -p it asks for prompts, or takes one from a pipe.",
    version: "0.1.0",
    subcommands: [
      RunCommand.self, ChatCommand.self, BenchCommand.self, PerplexityCommand.self, TokenizeCommand.self, LogitsCommand.self,
      PlacementCommand.self, DoctorCommand.self, PinCommand.self, UnpinCommand.self,
    ],
    defaultSubcommand: RunCommand.self)
}
