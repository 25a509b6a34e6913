// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import CLinux
import Files
import Glibc

/// The words of the command line, before the argument parser gets them.
struct CommandLineWords {
  private let root: any ParsableCommand.Type
  private(set) var words: [String]

  /// The words that this program was started with. Bytes that are not UTF-8 are kept (see `String(pathBytes:)`).
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

  /// Throws if the first word is meant as a command and is not one.
  func checkCommand() throws(Failure) {
    guard let first = words.first, !first.hasPrefix("-"), !commandNames.isEmpty else { return }
    if first == "help" {
      guard words.count > 1, !words[1].hasPrefix("-"), !commandNames.contains(words[1]) else { return }
      throw mistake(words[1])
    }
    if commandNames.contains(first) { return }
    // If there is a default command, the word is its first argument, unless no such file exists and the word is close to a command.
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

  /// Replaces synonyms by this program's own option names, and throws for synonyms that are refused.
  ///
  /// It also throws for an unknown option of several letters after one dash. The parser would take it for several options, and print the
  /// help if an h is among them.
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

  /// The part of a line that has been translated.
  private struct TranslatedLine {
    var words: [String] = []
    /// The number of arguments put in front of the others because other programs give them as options.
    var leading = 0
    /// The values of options that stand for several options of another program.
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
      // The value becomes the first argument, wherever the option stands; the command's name stays before it.
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

  /// The same words, with each value that begins with a dash joined to its option, as in `-n=-1`; nil if there is none.
  ///
  /// The word after an option that takes a value is its value.
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

  /// Splits an option into its name and the value joined to it.
  private static func split(_ word: String) -> (name: String, value: String?) {
    guard word.hasPrefix("-"), let equals = word.firstIndex(of: "=") else { return (word, nil) }
    return (String(word[..<equals]), String(word[word.index(after: equals)...]))
  }
}
