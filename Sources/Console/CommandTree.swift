// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import JSON

/// The commands of a program and their options, as the argument parser describes them.
struct CommandTree {
  /// The names of an option, and whether the next word is its value.
  struct Option {
    var names: [String]
    var takesValue: Bool
  }

  /// One command.
  struct Command {
    var name: String
    var options: [Option]

    /// Returns the option that a word names.
    func option(_ word: String) -> Option? { options.first { $0.names.contains(word) } }

    /// The names of all options.
    var names: [String] { options.flatMap(\.names) }
  }

  private let commands: [Command]
  private let standard: Command

  /// Reads the commands below `root`; nil if the parser's description has an unknown structure.
  init?(_ root: any ParsableCommand.Type) {
    guard let description = try? JSONValue(parsing: root._dumpHelp()), let command = description["command"],
      let subcommands = command["subcommands"]?.array
    else { return nil }
    commands = subcommands.compactMap(Self.command)
    let name = root.configuration.defaultSubcommand?._commandName
    guard let standard = commands.first(where: { $0.name == name }) ?? Self.command(command) else { return nil }
    self.standard = standard
  }

  /// Returns the command that these words are for.
  func command(of words: [String]) -> Command { commands.first { $0.name == words.first } ?? standard }

  private static func command(_ value: JSONValue) -> Command? {
    guard let name = value["commandName"]?.string else { return nil }
    let options = (value["arguments"]?.array ?? []).compactMap { argument -> Option? in
      guard let kind = argument["kind"]?.string, kind != "positional" else { return nil }
      let names = (argument["names"]?.array ?? []).compactMap { name -> String? in
        name["name"]?.string.map { (name["kind"]?.string == "long" ? "--" : "-") + $0 }
      }
      // An option with an optional value takes only a word that cannot be an option.
      let isOptional = argument["parsingStrategy"]?.string == "scanningForValue"
      return Option(names: names, takesValue: kind == "option" && !isOptional)
    }
    return Command(name: name, options: options)
  }
}
