// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import GGUF
import Inference
import PackFormat
import PackRuntime

extension ExitCode {
  /// The input cannot be read or used.
  static let unreadable = ExitCode(2)
}

/// What is wrong with the input, in one line.
struct InputError: Error, CustomStringConvertible {
  var description: String
}

/// Runs `body`; an error of the libraries becomes one line on standard error and an exit code.
func reportingErrors(_ body: () throws -> Void) throws {
  do {
    try body()
  } catch let error as ExitCode {
    throw error
  } catch let error as ModelError {
    Terminal.note(error.description)
    switch error {
    case .noRoom: throw ExitCode(3)
    case .runtime(let cause): throw ExitCode(cause.exitCode)
    default: break
    }
    throw ExitCode.unreadable
  } catch let error as RuntimeError {
    Terminal.note(error.description)
    throw ExitCode(error.exitCode)
  } catch let error as any CustomStringConvertible & Error {
    Terminal.note(error.description)
    throw ExitCode.unreadable
  }
}
