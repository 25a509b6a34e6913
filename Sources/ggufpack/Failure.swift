import ArgumentParser
import GGUF
import PackFormat

/// Exit codes beyond those of the argument parser (64 for wrong usage).
extension ExitCode {
  /// The content is damaged, or not what it was compared with.
  static let damaged = ExitCode(1)
  /// The input cannot be read, or is no such file.
  static let unreadable = ExitCode(2)
}

/// Runs `body`; an error of the libraries becomes one line on standard error and exit code 2.
func reportingErrors(_ body: () throws -> Void) throws {
  do {
    try body()
  } catch let error as GGUFError {
    Terminal.complain(error.description)
    throw ExitCode.unreadable
  } catch let error as PackError {
    Terminal.complain(error.description)
    throw ExitCode.unreadable
  }
}
