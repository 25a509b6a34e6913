// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import PackFormat

/// Runs long work on `total` bytes, with a progress line called `label`.
///
/// - Parameter body: Does the work. It calls `advance` with the bytes done since the last call, which throws `PackError.interrupted` once a
///   signal asks the program to end.
func withProgress<Result, Failure: Error>(
  _ label: String, total: Int, isQuiet: Bool,
  _ body: (_ advance: (_ bytes: Int) throws(PackError) -> Void) throws(Failure) -> Result
) throws(Failure) -> Result {
  let progress = Progress(label, showsBytes: true, isQuiet: isQuiet)
  defer { progress.finish() }
  return try body { (bytes) throws(PackError) in
    if Interrupt.isRequested { throw .interrupted }
    progress.advance(bytes, of: total)
  }
}

/// Checks every byte of `pack` before something is made from it, so that damage does not spread.
///
/// - Throws: The last damage found; the earlier ones are printed before.
func verifyFirst(_ pack: Pack, isQuiet: Bool) throws(PackError) {
  let verifier = PackVerifier(pack)
  let damage = try withProgress("verifying", total: verifier.byteCount, isQuiet: isQuiet) { (advance) throws(PackError) in
    try verifier.run(progress: advance)
  }
  for problem in damage.dropLast() { Terminal.note(problem.description) }
  if let last = damage.last { throw last }
}
