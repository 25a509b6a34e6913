// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import PackFormat

/// Runs a long work on `total` bytes, with a progress line called `label`.
///
/// - Parameter body: Does the work; calls `advance` with the bytes done since the last call, which throws `PackError.interrupted`
///   once a signal asks the program to end.
func withProgress<Result>(
  _ label: String, total: Int, isQuiet: Bool,
  _ body: (_ advance: (_ bytes: Int) throws(PackError) -> Void) throws -> Result
) throws -> Result {
  let progress = Progress(label, showsBytes: true, isQuiet: isQuiet)
  defer { progress.finish() }
  return try body { (bytes) throws(PackError) in
    if Interrupt.isRequested { throw .interrupted }
    progress.advance(bytes, of: total)
  }
}

/// Checks every byte of `pack` before something is made of it: damage must not travel on.
func verifyFirst(_ pack: Pack, isQuiet: Bool) throws {
  let verifier = PackVerifier(pack)
  let damage = try withProgress("verifying", total: verifier.byteCount, isQuiet: isQuiet) { try verifier.run(progress: $0) }
  for problem in damage { Terminal.note(problem.description) }
  guard damage.isEmpty else { throw ExitCode.failed }
}
