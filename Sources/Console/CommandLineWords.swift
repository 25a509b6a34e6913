// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import CLinux
import Files
import Glibc

/// An option that neighbouring programs have and this one knows by another name, or does not need.
package enum Synonym: Sendable {
  /// The same as another option.
  case option(String)
  /// A flag, or an option with a value, that has no effect here and costs nothing to leave out.
  case notNeeded(takesValue: Bool)
}

/// The words of the command line, on their way to the argument parser.
struct CommandLineWords {
  private let root: any ParsableCommand.Type
  private(set) var words: [String]

  /// The words with which this program was started. What is not UTF-8 stays what it is (see `String(pathBytes:)`).
  static var ofProcess: [String] {
    (1..<max(1, Int(cl_argument_count()))).map { index in
      let word = unsafe cl_argument(CInt(index))
      return unsafe word.map { word in
        unsafe String(pathBytes: UnsafeRawBufferPointer(start: word, count: strlen(word)))
      } ?? ""
    }
  }

  init(_ words: [String], of root: any ParsableCommand.Type) {
    self.root = root
    self.words = words
  }

  // MARK: Commands

  private var commandNames: [String] { root.configuration.subcommands.map { $0._commandName } }

  /// Throws if the first word is meant for a command and is not one.
  func checkCommand() throws(Failure) {
    guard let first = words.first, !first.hasPrefix("-") else { return }
    if first == "help" {
      guard words.count > 1, !words[1].hasPrefix("-"), !commandNames.contains(words[1]) else { return }
      throw mistake(words[1])
    }
    if commandNames.contains(first) { return }
    // With a standard command, the word is its first argument, unless there is no such file and it is nearly a command.
    if root.configuration.defaultSubcommand != nil {
      guard !first.contains("/"), !Self.exists(first), !Self.exists(first + ".pack"),
        Spelling.nearest(to: first, among: commandNames) != nil
      else { return }
    }
    throw mistake(first)
  }

  private func mistake(_ word: String) -> Failure {
    let nearest = Spelling.nearest(to: word, among: commandNames).map { "did you mean \($0)?" }
    let all = "the commands are \(commandNames.joined(separator: ", "))"
    return Failure("\(word.quoted) is not a command; \(nearest ?? all)", exitCode: .wrongUsage)
  }

  private static func exists(_ path: String) -> Bool { unsafe path.withPath { unsafe access($0, F_OK) } == 0 }

  // MARK: Options

  /// Replaces synonyms by this program's names, and throws for an option of several letters after one dash that is not
  /// one: the parser takes it for several options, and prints the help if an h is among them.
  mutating func translate(_ synonyms: [String: Synonym]) throws(Failure) {
    guard words.contains(where: { $0.hasPrefix("-") && ($0.dropFirst().count > 1 || synonyms[$0] != nil) }),
      let tree = CommandTree(root)
    else { return }
    let command = tree.command(of: words)
    var result: [String] = []
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        result += [word] + rest
        break
      }
      let (name, value) = Self.split(word)
      if let option = command.option(name) {
        result.append(word)
        if option.takesValue, value == nil, let next = rest.popFirst() { result.append(next) }
      } else if let synonym = synonyms[name] {
        switch synonym {
        case .option(let other) where command.option(other) != nil:
          result += [other] + (value ?? rest.popFirst()).map { [$0] }.orEmpty
        case .option: throw unknown(name, command)
        case .notNeeded(let takesValue):
          if takesValue, value == nil, let next = rest.first, !next.hasPrefix("-") { rest.removeFirst() }
          Terminal.note("\(name) is not needed here and changes nothing")
        }
      } else if name.hasPrefix("-"), !name.hasPrefix("--"), name.count > 2, Double(name) == nil {
        throw unknown(name, command)
      } else {
        result.append(word)
      }
    }
    words = result
  }

  private func unknown(_ name: String, _ command: CommandTree.Command) -> Failure {
    let nearest = Spelling.nearest(to: name, among: command.names).map { "; did you mean \($0)?" } ?? ""
    let help = "\(root._commandName) \(command.name) --help"
    return Failure("unknown option \(name.quoted)\(nearest.isEmpty ? "; see \(help)" : nearest)", exitCode: .wrongUsage)
  }

  /// The same words with each value that begins with a dash tied to its option, as in `-n=-1`: what comes after an option that takes
  /// a value is its value. Nil if there is none.
  var joiningValues: [String]? {
    guard let tree = CommandTree(root) else { return nil }
    let command = tree.command(of: words)
    var result: [String] = []
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        result += [word] + rest
        break
      }
      guard command.option(word)?.takesValue == true, let next = rest.first else {
        result.append(word)
        continue
      }
      rest.removeFirst()
      result += next.hasPrefix("-") && next.count > 1 ? ["\(word)=\(next)"] : [word, next]
    }
    return result == words ? nil : result
  }

  /// An option's name and the value that is tied to it.
  private static func split(_ word: String) -> (name: String, value: String?) {
    guard word.hasPrefix("-"), let equals = word.firstIndex(of: "=") else { return (word, nil) }
    return (String(word[..<equals]), String(word[word.index(after: equals)...]))
  }
}

extension [String]? {
  fileprivate var orEmpty: [String] { self ?? [] }
}
