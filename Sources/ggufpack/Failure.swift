// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import GGUF
import PackFormat
import Repack

/// Exit codes beyond those of the argument parser (64 for wrong usage).
extension ExitCode {
  /// The content is damaged, or not what it was compared with.
  static let damaged = ExitCode(1)
  /// The input cannot be read, or is no such file.
  static let unreadable = ExitCode(2)
  /// Ctrl-C, as shells report it.
  static let interrupted = ExitCode(130)
}

/// Runs `body`; an error of the libraries becomes one line on standard error and exit code 2.
func reportingErrors(_ body: () throws -> Void) throws {
  do {
    try body()
  } catch let error as GGUFError {
    Terminal.complain(error.description)
    throw ExitCode.unreadable
  } catch PackError.interrupted {
    Terminal.complain(PackError.interrupted.description)
    throw ExitCode.interrupted
  } catch let error as PackError {
    Terminal.complain(error.description)
    throw ExitCode.unreadable
  }
}

/// Opens the pack at `path`; a manifest or a header that does not have its digest is damage, and ends the program as such.
func openPack(_ path: String) throws -> Pack {
  do {
    return try Pack.open(path)
  } catch {
    guard case .damaged = error else { throw error }
    Terminal.complain(error.description)
    throw ExitCode.damaged
  }
}

/// Checks every byte of `pack` before something is made of it: damage must not travel on.
func verifyFirst(_ pack: Pack, isQuiet: Bool) throws {
  let verifier = PackVerifier(pack)
  var progress = Progress("verifying", total: verifier.byteCount, isQuiet: isQuiet)
  let damage = try verifier.run { (bytes) throws(PackError) in try progress.advance(bytes) }
  progress.finish()
  for problem in damage { Terminal.complain(problem.description) }
  guard damage.isEmpty else { throw ExitCode.damaged }
}
