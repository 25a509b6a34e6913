// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import PackRuntime

/// The program: its subcommands and its version.
@main
struct Packrun: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "packrun",
    abstract: "Run packs that ggufpack has written; the threads of each NUMA node compute with the weights in that node's memory.",
    discussion: "packrun MODEL.pack -p PROMPT continues a prompt. Without -p, it asks for prompts, or reads one from a pipe.",
    version: Version.description,
    subcommands: [
      RunCommand.self, ChatCommand.self, BenchCommand.self, PerplexityCommand.self, TemplateCommand.self, TokenizeCommand.self,
      LogitsCommand.self,
      PlacementCommand.self, TopCommand.self, DoctorCommand.self, PinCommand.self, UnpinCommand.self,
    ],
    defaultSubcommand: RunCommand.self)

  /// Runs the program.
  static func main() {
    reportLostPages(prefix: "packrun: ")
    launch(RunHabits.synonyms)
  }
}
