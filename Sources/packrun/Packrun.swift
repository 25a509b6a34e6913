// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import PackRuntime

/// The program: its subcommands and its version.
@main
struct Packrun: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "packrun",
    abstract: "Runs the packs that ggufpack writes; each node's threads compute with the weights that are in that node's memory.",
    discussion: "packrun MODEL.pack -p PROMPT continues a prompt. Without -p, it asks for prompts, or reads one from a pipe.",
    version: Version.description,
    subcommands: [
      RunCommand.self, ChatCommand.self, BenchCommand.self, PerplexityCommand.self, TemplateCommand.self, TokenizeCommand.self,
      LogitsCommand.self,
      PlacementCommand.self, DoctorCommand.self, PinCommand.self, UnpinCommand.self,
    ],
    defaultSubcommand: RunCommand.self)

  /// What llama.cpp's programs call our options, and what they have that is not needed here.
  private static let synonyms: [String: Synonym] = [
    "-c": .option("--ctx"), "--ctx-size": .option("--ctx"), "-b": .option("--batch"), "--batch-size": .option("--batch"),
    "-ctk": .option("--kv"), "--cache-type-k": .option("--kv"), "--n-predict": .option("--number"), "-s": .option("--seed"),
    "-sys": .option("--system"), "--system-prompt": .option("--system"), "-ub": .notNeeded(takesValue: true),
    "--ubatch-size": .notNeeded(takesValue: true), "--numa": .notNeeded(takesValue: true), "-fa": .notNeeded(takesValue: true),
    "--flash-attn": .notNeeded(takesValue: true), "--jinja": .notNeeded(takesValue: false),
    "-no-cnv": .notNeeded(takesValue: false),
  ]

  /// Runs the program.
  static func main() {
    reportLostPages(prefix: "packrun: ")
    launch(synonyms)
  }
}
