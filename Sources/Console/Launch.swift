// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Glibc

extension ParsableCommand {
  /// Runs the program with this root command and ends it. This is the one place where errors become lines and exit codes.
  ///
  /// - Parameter synonyms: Options of similar programs, with their dashes, and what they mean here.
  package static func launch(_ synonyms: [String: Synonym] = [:]) -> Never {
    StandardStream.openMissing()
    // A write beyond the file size limit must fail with an error, not end the program.
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
      // The parser takes `-1` for an option, and does not recognise `---`. A second try shows whether that is the only problem.
      guard exitCode(for: error) == .validationFailure, let joined = line.joiningValues else { throw error }
      return try parseAsRoot(joined)
    }
  }

  /// Reports an error, and returns the exit code for it.
  private static func report(_ error: any Error) -> ExitCode {
    if let code = error as? ExitCode { return code }
    if let error = error as? any FailureConvertible {
      Terminal.note(error.failure.problem)
      return error.failure.exitCode
    }
    let code = exitCode(for: error)
    switch code {
    case .success:
      // The parser wraps the lines of a help text except the first, which lists the options.
      for line in fullMessage(for: error).split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
        if line.hasPrefix("USAGE: ") { Output.print(line: line, indent: 7) } else { Output.print(line) }
      }
    case .validationFailure: Terminal.note(usageProblem(error))
    default: Terminal.note("\(error)")
    }
    return code == .failure ? .unusable : code
  }

  /// Returns what is wrong with the command line, and which help to read, on one line.
  private static func usageProblem(_ error: any Error) -> String {
    var problem = message(for: error).replacing("\n", with: " ")
    // The parser's sentences begin with a capital letter; here the program's name comes first.
    if let first = problem.first, problem.dropFirst().first?.isLowercase == true {
      problem = first.lowercased() + problem.dropFirst()
    }
    problem = problem.replacing(". Did you mean ", with: "; did you mean ")
    if problem.last == "?" { return problem }
    while problem.last == "." { problem.removeLast() }
    let help = fullMessage(for: error).split(separator: "'").last { $0.hasSuffix("--help") } ?? "\(_commandName) --help"
    return "\(problem); see \(help)"
  }

  /// Ends the program, with another exit code if its results could not be written.
  private static func end(_ code: ExitCode) -> Never {
    if code == .success, let error = Output.error {
      // The program that reads the output has closed it, as `head` does. That needs no message.
      if error == EPIPE { Glibc.exit(128 + SIGPIPE) }
      Terminal.note("standard output: cannot write: \(errorText(error))")
      Glibc.exit(ExitCode.failed.rawValue)
    }
    Glibc.exit(code.rawValue)
  }
}
