// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console

/// A command that a person gives to the program, not to the model, during a conversation.
enum SlashCommand: Equatable {
  case help
  case reset
  /// Sets the system text; with nil, shows it.
  case system(String?)
  case regenerate
  case save(String)
  case load(String)
  case stats
  case quit

  private static let table: [(name: String, usage: String, meaning: String)] = [
    ("help", "/help", "this list"),
    ("reset", "/reset", "start the conversation over"),
    ("system", "/system [TEXT]", "show the system prompt, or set it"),
    ("regen", "/regen", "let the model rewrite its last answer"),
    ("save", "/save FILE", "save the conversation; packrun run --request and packrun template read it, too"),
    ("load", "/load FILE", "resume a saved conversation"),
    ("stats", "/stats", "tokens in the context, and the speed of the last answer"),
    ("quit", "/quit", "leave, as Ctrl-D does"),
  ]

  /// The list of commands and keys.
  static var helpLines: [String] {
    var commands = Table([("", .left), ("", .left)])
    for row in table { commands.append([row.usage, row.meaning]) }
    return commands.lines.filter { !$0.allSatisfy(\.isWhitespace) } + [
      "A line that ends with a backslash or Alt-Enter continues on the next one.",
      "Ctrl-C stops the answer. Begin a message with // to send one that begins with /.",
    ]
  }

  /// Parses a command; nil if the line is meant for the model.
  ///
  /// - Throws: `Failure` for an unknown command or a missing argument.
  init?(_ line: String) throws(Failure) {
    guard line.hasPrefix("/"), !line.contains("\n") else { return nil }
    let parts = line.dropFirst().split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    let name = parts.first.map(String.init) ?? ""
    // A path is not a command.
    guard !name.isEmpty, name.unicodeScalars.allSatisfy(\.properties.isAlphabetic) else { return nil }
    let rest = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
    switch name {
    case "help": self = .help
    case "reset": self = .reset
    case "system": self = .system(rest.isEmpty ? nil : rest)
    case "regen": self = .regenerate
    case "save", "load":
      guard !rest.isEmpty else { throw Failure("/\(name): name a file: /\(name) FILE") }
      self = name == "save" ? .save(rest) : .load(rest)
    case "stats": self = .stats
    case "quit", "exit": self = .quit
    default: throw Failure("/\(name) is not a command; /help lists them, and //\(name) sends it to the model")
    }
  }
}
