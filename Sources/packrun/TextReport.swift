// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Console
import Files
import Generation
import Inference
import ModelConsole
import PackRuntime

/// A report that prints answers on standard output as they arrive, and statistics on standard error.
struct TextReport: AnswerReport {
  let session: Session
  /// Whether to print only the answer and what ended it too early.
  let isQuiet: Bool

  func begin(promptTokens: Int) {}

  func add(_ token: Int32?, _ text: String) { Output.write(text) }

  var isForPrograms: Bool { false }

  func add(_ turn: Turn) {}

  func end(_ result: GenerationResult, endsLine: Bool) {
    if endsLine { Output.write("\n") }
    if result.reason == .context { noteFullContext(session) }
    if result.reason == .noToken { Terminal.note("the grammar requires a text that no token of this model can write") }
    if !result.isComplete { Terminal.note("the answer was cut off before its grammar was satisfied") }
    guard !isQuiet else { return }
    if session.teams.teamCount > 1 { noteNodes(result) }
    Terminal.note(
      "prompt \(Count(result.promptTokens, "token"))\(Self.rate(result.promptRate)); "
        + "answer \(Count(result.tokens.count, "token"))\(Self.rate(result.decodeRate))\(maskText(result))\(result.draftText); "
        + "KV cache \(ByteCount(session.model.cacheByteCount)) for \(Count(session.model.contextLength, "token")); "
        + "\(Count(session.teams.threadCount, "thread")), \(session.model.kernelsName)")
  }

  /// Returns the tokens per second in the form that follows their number; empty if there is nothing to measure, as for an answer of one
  /// token.
  private static func rate(_ rate: Double) -> String { rate > 0 ? ", \(Decimal(rate, 1))/s" : "" }

  /// Returns the time that the grammar took per token; empty without a grammar.
  private func maskText(_ result: GenerationResult) -> String {
    guard result.constraintSeconds > 0 else { return "" }
    return ", grammar \(Decimal(1000 * result.constraintSeconds / Double(max(result.tokens.count, 1)), 2)) ms/token"
  }

  func add(_ answer: BatchGenerator.Answer, to prompt: String) {
    Output.print("[\(answer.prompt + 1)] \(prompt)\(answer.text)")
    if !answer.isComplete {
      Terminal.note("the answer to prompt \(answer.prompt + 1) was cut off before its grammar was satisfied")
    }
  }

  func end(_ batch: BatchResult) {
    guard !isQuiet else { return }
    let models = session.group.models
    let place = models.count > 1 ? ", each within one of \(models.count) nodes" : ""
    let cache = models.reduce(0) { $0 + $1.cacheByteCount }
    Terminal.note(
      "\(Count(batch.prompts, "prompt")), \(Count(batch.tokens, "token")), \(Decimal(batch.rate, 1))/s in all; "
        + "\(batch.parallel) at a time\(place); KV cache \(ByteCount(cache)) for "
        + "\(batch.parallel) × \(Count(session.model.contextLength, "token"))")
  }

  /// Prints where the KV cache and activations lie, and how many bytes crossed between nodes.
  private func noteNodes(_ result: GenerationResult) {
    let placements = session.model.placements
    let local = placements.reduce(0) { $0 + $1.localPages }
    let all = placements.reduce(local) { $0 + $1.otherPages }
    let list = placements.map { "\(ByteCount($0.byteCount)) on node \($0.node)" }.joined(separator: ", ")
    let percent = Decimal(100 * Double(local) / Double(max(all, 1)), 2)
    Terminal.note("KV cache and activations: \(list); the kernel counts \(percent) % of their pages there")
    guard let crossed = result.crossedBytesPerToken else { return }
    let part = Decimal(100 * Double(crossed) / Double(max(session.weights.byteCount, 1)), 3)
    Terminal.note(
      "\(ByteCount(crossed)) crossed the nodes for each token of the answer: \(part) % of the size of the weights, "
        + "\(ByteCount(session.weights.byteCount))")
  }
}

/// Prints that an answer ended because its context was full.
func noteFullContext(_ session: Session) {
  Terminal.note("the context of \(Count(session.model.contextLength, "token")) is full; a larger --ctx holds more")
}

extension GenerationResult {
  /// The result of proposing tokens; empty if none were to be proposed.
  var draftText: String {
    guard let draft else { return "" }
    return ", draft \(Decimal(draft.acceptedPerStep, 2)) accepted per step (\(draft.accepted) of \(draft.proposed))"
  }
}
