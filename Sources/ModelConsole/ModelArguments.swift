// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Generation
import Inference
import PackFormat
import PackRuntime

/// The pack, and the options for running it.
package struct ModelArguments: ParsableArguments {
  @Argument(help: "The pack.", completion: .directory)
  package var pack: String

  @OptionGroup package var placement: PlacementArguments

  @Option(help: "How the weights are held in memory.")
  package var memory = MemoryChoice.auto

  @Option(
    name: .customLong("ctx"),
    help: """
      Tokens that the context of each answer holds; 0 for as many as the model was trained on. (default: the same, at most 4096)
      """)
  package var context: Int?

  @Option(help: "How many tokens of a prompt are computed together.")
  package var batch = 512

  @Option(help: "How keys and values are stored: f16, or q8_0, which takes about half the memory.")
  package var kv = CacheType.f16

  @Option(
    name: .customLong("checkpoints"),
    help: "Copy the state of recurrent layers every so many tokens, to go back to; 0 for never.")
  package var checkpointInterval = 256

  @Option(help: "Instruction set of the kernels, such as avx2. (default: the best one that this CPU has)")
  package var kernels: String?

  @Flag(help: "First check every byte of the pack against its digests.")
  package var verify = false

  @Flag(name: .shortAndLong, help: "At a terminal, repeat the notes about this pack that an earlier start has printed.")
  package var verbose = false

  /// The number of teams that share the first node's CPUs, for trying a pack of several nodes on a machine with one.
  @Option(help: .hidden)
  package var teams: Int?

  package init() {}

  package func validate() throws {
    if let context, context < 0 || context > 1 << 28 { throw ValidationError("--ctx must be between 0 and 268435456") }
    if checkpointInterval < 0 || checkpointInterval > 1 << 28 {
      throw ValidationError("--checkpoints must be between 0 and 268435456")
    }
    if batch < 1 || batch > 4096 { throw ValidationError("--batch must be between 1 and 4096") }
  }

  /// Opens the pack, and verifies it if requested.
  package func open() throws -> Pack {
    let pack = try Pack.open(named: pack)
    guard verify else { return pack }
    let verifier = PackVerifier(pack)
    let progress = Progress("verifying", showsBytes: true)
    let damage = try verifier.run { (bytes) throws(PackError) in progress.advance(bytes, of: verifier.byteCount) }
    progress.finish()
    for problem in damage { Terminal.note(problem.description) }
    if !damage.isEmpty { throw ExitCode.failed }
    return pack
  }

  /// Places the pack, starts its threads, and prints the shortcomings of the placement.
  ///
  /// - Parameters:
  ///   - readsAllLogits: Whether the logits of many positions are read, not only those of each sequence's last one.
  ///   - drafts: Whether the logits of a step with proposed tokens are read.
  ///   - predicts: Whether the model proposes the tokens itself.
  ///   - report: Called with the bytes placed so far and the total.
  package func session(
    _ pack: Pack, sequences: Int = 1, readsAllLogits: Bool = false, drafts: Bool = false, predicts: Bool = false,
    isQuiet: Bool = false,
    report: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) throws(ModelError) -> Session {
    var options = SessionOptions()
    options.teams = placement.teamOptions
    options.simulatedTeams = teams
    options.memory = placement.memoryOptions(memory.kind, isQuiet: isQuiet, report: report)
    options.memory.verifies = verify
    options.model.contextLength = context
    options.model.batchSize = batch
    options.model.sequenceCount = sequences
    if !readsAllLogits { options.model.logitRows = drafts ? max(sequences, Drafter.mostTokens + 1) : sequences }
    if drafts { options.model.tentativeCount = Drafter.mostTokensOfState }
    options.model.predicts = predicts
    options.model.kernels = kernels
    options.model.cacheType = kv
    options.model.checkpointInterval = checkpointInterval
    let session = try Session(pack, options: options)
    if !isQuiet { say(session.notes, of: pack) }
    return session
  }

  /// Prints the notes that the user has not seen before about this pack. A log gets all notes each time.
  private func say(_ notes: [Note], of pack: Pack) {
    guard Terminal.isInteractive, !verbose, notes.contains(where: \.isLasting) else {
      for note in notes { Terminal.note(note.line) }
      return
    }
    let read = LineHistory("notes", of: Terminal.program)
    for note in notes {
      // A pack that was written again counts as a new one.
      let text = "\(pack.path) \(Digest(of: Array(pack.checksums.text.utf8)).hex): \(note.line)"
      if note.isLasting, read?.texts.contains(text) == true { continue }
      Terminal.note(note.line)
      if note.isLasting { read?.append(text) }
    }
  }
}

extension CacheType: ExpressibleByArgument {}
