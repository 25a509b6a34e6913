// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Glibc

extension ParsableCommand {
  /// Runs the program whose root command this is, and ends it: the one place where errors become lines and exit codes.
  ///
  /// - Parameter synonyms: Options of neighbouring programs, dashes included, and what they are here.
  package static func launch(_ synonyms: [String: Synonym] = [:]) -> Never {
    StandardStream.openMissing()
    // A write beyond the limit on a file's size is an error of that write, not the end of the program.
    signal(SIGXFSZ, SIG_IGN)
    Terminal.program = _commandName
    do {
      try StackLimit.ensure()
      try AddressLimit.check()
      var command = try parse(CommandLineWords.ofProcess, synonyms)
      try command.run()
      end(.success)
    } catch {
      end(report(error))
    }
  }

  private static func parse(_ words: [String], _ synonyms: [String: Synonym]) throws -> any ParsableCommand {
    var line = CommandLineWords(words, of: self)
    try line.checkCommand()
    try line.translate(synonyms)
    do {
      return try parseAsRoot(line.words)
    } catch {
      // The parser takes `-1` for an option, and `---` for none. A second try shows whether that is all that is wrong.
      guard exitCode(for: error) == .validationFailure, let joined = line.joiningValues else { throw error }
      return try parseAsRoot(joined)
    }
  }

  /// Says what an error is; returns the exit code that stands for it.
  private static func report(_ error: any Error) -> ExitCode {
    if let code = error as? ExitCode { return code }
    if let error = error as? any FailureConvertible {
      Terminal.note(error.failure.problem)
      return error.failure.exitCode
    }
    let code = exitCode(for: error)
    switch code {
    case .success:
      // The parser breaks the lines of a help, but for the first, which lists the options.
      for line in fullMessage(for: error).split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
        if line.hasPrefix("USAGE: ") { Output.print(line: line, indent: 7) } else { Output.print(line) }
      }
    case .validationFailure: Terminal.note(usageProblem(error))
    default: Terminal.note("\(error)")
    }
    return code == .failure ? .unusable : code
  }

  /// What is wrong with the command line, and which help tells more, in one line.
  private static func usageProblem(_ error: any Error) -> String {
    var problem = message(for: error).replacing("\n", with: " ")
    // The parser's own sentences begin with a capital letter; this one begins with the program's name.
    if let first = problem.first, problem.dropFirst().first?.isLowercase == true {
      problem = first.lowercased() + problem.dropFirst()
    }
    problem = problem.replacing(". Did you mean ", with: "; did you mean ")
    if problem.last == "?" { return problem }
    while problem.last == "." { problem.removeLast() }
    let help = fullMessage(for: error).split(separator: "'").last { $0.hasSuffix("--help") } ?? "\(_commandName) --help"
    return "\(problem); see \(help)"
  }

  /// Ends the program; with another exit code if its results could not be written.
  private static func end(_ code: ExitCode) -> Never {
    if code == .success, let error = Output.error {
      // The program that reads our output has closed it, as `head` does. Nobody needs a message about that.
      if error == EPIPE { Glibc.exit(128 + SIGPIPE) }
      Terminal.note("standard output: cannot write: \(errorText(error))")
      Glibc.exit(ExitCode.failed.rawValue)
    }
    Glibc.exit(code.rawValue)
  }
}
