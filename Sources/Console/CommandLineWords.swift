// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import CLinux
import Files
import Glibc

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
    guard let first = words.first, !first.hasPrefix("-"), !commandNames.isEmpty else { return }
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

  /// Replaces synonyms by this program's names, and throws for those that are refused. Throws, too, for an option of several letters
  /// after one dash that is not one: the parser takes it for several options, and prints the help if an h is among them.
  mutating func translate(_ synonyms: [String: Synonym]) throws(Failure) {
    guard words.contains(where: { $0.hasPrefix("-") && ($0.dropFirst().count > 1 || synonyms[$0] != nil) }),
      let tree = CommandTree(root)
    else { return }
    let command = tree.command(of: words)
    var line = TranslatedLine()
    var rest = words[...]
    if let first = rest.first, commandNames.contains(first) { line.words.append(rest.removeFirst()) }
    while let word = rest.popFirst() {
      if word == "--" {
        line.words += [word] + rest
        break
      }
      let (name, value) = Self.split(word)
      if let option = command.option(name) {
        line.words.append(word)
        if option.takesValue, value == nil, let next = rest.popFirst() { line.words.append(next) }
      } else if let synonym = synonyms[name] {
        try translate(name, value, as: synonym, &rest, command, &line)
      } else if name.hasPrefix("-"), !name.hasPrefix("--"), name.count > 2, Double(name) == nil {
        throw unknown(name, command)
      } else {
        line.words.append(word)
      }
    }
    words = line.words
  }

  /// What has been translated of a line.
  private struct TranslatedLine {
    var words: [String] = []
    /// How many arguments that other programs give by an option have been put in front of the others.
    var leading = 0
    /// The values of options that stand for several of another program.
    var shared: [String: (name: String, value: String)] = [:]
  }

  private func translate(
    _ name: String, _ value: String?, as synonym: Synonym, _ rest: inout ArraySlice<String>, _ command: CommandTree.Command,
    _ line: inout TranslatedLine
  ) throws(Failure) {
    switch synonym {
    case .option(let other, let sharesValue):
      guard let option = command.option(other) else { throw unknown(name, command) }
      guard option.takesValue else {
        line.words.append(other)
        return
      }
      guard let value = value ?? rest.popFirst() else { throw Failure("\(name): its value is missing", exitCode: .wrongUsage) }
      if sharesValue {
        if let earlier = line.shared[other], earlier.value != value {
          throw Failure(
            "\(earlier.name) \(earlier.value.oneLine) and \(name) \(value.oneLine): both are \(other) here, which has one value",
            exitCode: .wrongUsage)
        }
        line.shared[other] = (name, value)
      }
      line.words.append(other)
      line.words.append(value)
    case .argument:
      guard let value = value ?? rest.popFirst() else { throw Failure("\(name): its value is missing", exitCode: .wrongUsage) }
      // It is the first argument, wherever the option stands; the command's name stays in front of it.
      let start = line.words.first.map(commandNames.contains) == true ? 1 : 0
      line.words.insert(value, at: start + line.leading)
      line.leading += 1
    case .notNeeded(let reason, let values):
      if value == nil, let next = rest.first, values.takes(next) { rest.removeFirst() }
      Terminal.note("\(name) is not needed: \(reason)")
    case .refused(let reason):
      throw Failure("\(name): \(reason)", exitCode: .wrongUsage)
    }
  }

  private func unknown(_ name: String, _ command: CommandTree.Command) -> Failure {
    let nearest = Spelling.nearest(to: name, among: command.names).map { "; did you mean \($0)?" } ?? ""
    let help = "\(root._commandName)\(command.name == root._commandName ? "" : " " + command.name) --help"
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
