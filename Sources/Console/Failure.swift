// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Files
import GGUF
import Glibc
import PackFormat

/// The reason why a program ends before its work is done: a line for people, and an exit code for programs.
package struct Failure: Error {
  /// What is wrong, where, and what to do, on one line.
  package var problem: String
  /// The exit code of the program.
  package var exitCode: ExitCode

  /// A failure with an exit code, by default that of unusable input.
  package init(_ problem: String, exitCode: ExitCode = .unusable) {
    self.problem = problem
    self.exitCode = exitCode
  }
}

extension ExitCode {
  /// The content is damaged or differs from what it was compared with, a result cannot be written, or the system refused something else.
  package static let failed = ExitCode(1)
  /// The input cannot be read or used.
  package static let unusable = ExitCode(2)
  /// There is too little memory.
  package static let outOfMemory = ExitCode(3)
  /// The command line is wrong. This is the argument parser's own code.
  package static let wrongUsage = ExitCode.validationFailure
  /// A signal ended the program; shells report the code this way.
  package static var interrupted: ExitCode { ExitCode(Interrupt.exitCode) }
}

/// An error of a library that a program can end with.
package protocol FailureConvertible: Error {
  /// The error as a line and an exit code.
  var failure: Failure { get }
}

extension Failure: FailureConvertible {
  package var failure: Failure { self }
}

extension FileError: FailureConvertible {
  package var failure: Failure { Failure(description, exitCode: isOfWriting ? .failed : .unusable) }
}

extension GGUFError: FailureConvertible {
  package var failure: Failure { Failure(description) }
}

extension PackError: FailureConvertible {
  package var failure: Failure {
    switch self {
    case .file(let error): error.failure
    case .damaged, .noSpace: Failure(description, exitCode: .failed)
    case .interrupted: Failure(description, exitCode: .interrupted)
    case .exists: Failure("\(description) (--force)")
    default: Failure(description)
    }
  }
}

extension Failure {
  /// Returns the failure of `operation`, such as `open it`, on the file at `path`.
  package static func system(_ path: String, _ operation: String, errno error: CInt) -> Failure {
    Failure("\(path): cannot \(operation): \(errorText(error))")
  }
}

/// Returns the operating system's text for an errno.
package func errorText(_ error: CInt) -> String { unsafe String(cString: strerror(error)) }
