// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import Dispatch
import Foundation
import Generation
import Inference
import JSON
import ModelConsole
import PackFormat
import PackRuntime
import Serving
import Synchronization
import Tokenization

/// The model, and the thread that owns it.
final class Engine: Sendable {
  /// The parts that exist once the model is loaded.
  struct Ready: Sendable {
    let pack: ServedPack
    let scheduler: Scheduler
    let placement: PlacementProbe

    /// The weights that each node has read so far.
    var traffic: [WeightTraffic] { WeightTraffic.all(placement.stepReadings, scheduler.times) }
  }

  private enum State {
    case loading(done: Int, total: Int)
    case ready(Ready)
    case failed(Failure)
  }

  private let state = Mutex(State.loading(done: 0, total: 0))
  private let isDraining = Atomic<Bool>(false)
  private let ended = DispatchSemaphore(value: 0)

  /// Loads the model on a thread of its own, which answers requests until `end`.
  ///
  /// - Parameters:
  ///   - template: The template of conversations, or why there is none.
  ///   - store: The store in which prefixes of prompts outlive the server.
  ///   - spare: The CPUs for everything except the model's teams.
  func start(
    _ arguments: ServedModelArguments, _ pack: Pack, _ tokenizer: Tokenizer,
    _ template: Result<ChatTemplate, ChatTemplateError>, _ store: PrefixStore?, _ spare: SpareCPUs
  ) {
    let thread = Thread { [self] in
      defer { ended.signal() }
      do throws(ModelError) {
        let session = try arguments.session(pack) { [self] done, total in
          state.withLock { if case .loading = $0 { $0 = .loading(done: done, total: total) } }
        }
        // This must come after the teams have started, because they choose their CPUs from those that this thread may use.
        _ = spare.bindThisThread()
        try checkVocabulary(tokenizer, session)
        for note in session.notes { Terminal.note(note.line) }
        if case .failure(let error) = template { Terminal.note("\(error); /v1/chat/completions is not available") }
        let served = ServedPack(
          name: arguments.name(pack), digest: pack.digest.hex,
          created: UnixTime.now, tokenizer: tokenizer, template: template,
          date: { .now }, contextLength: session.model.contextLength, embeddingLength: session.model.configuration.embeddingLength,
          pooling: arguments.pooling(pack))
        let scheduler = Scheduler(session.group, tokenizer, options: arguments.servingOptions(store))
        state.withLock { $0 = .ready(Ready(pack: served, scheduler: scheduler, placement: PlacementProbe(session))) }
        Terminal.note("\(served.name) is ready: \(arguments.parallel) slots of \(session.model.contextLength) tokens")
        if isDraining.load(ordering: .relaxed) { scheduler.end() }
        try scheduler.run(session.group)
      } catch { fail(error.failure) }
    }
    thread.stackSize = 8 << 20
    thread.start()
  }

  private func checkVocabulary(_ tokenizer: Tokenizer, _ session: Session) throws(ModelError) {
    do throws(TokenizerError) { try tokenizer.check(embeddingRows: session.model.vocabularySize) } catch {
      throw .tooLarge(what: "\(error)")
    }
  }

  /// Waits until the model's thread has ended and has written everything that it keeps on disk.
  func waitUntilEnded() {
    if case .ready = state.withLock({ $0 }) { ended.wait() }
  }

  /// Returns the model; throws while it is not loaded.
  func ready() throws(InterfaceError) -> Ready {
    guard case .ready(let ready) = state.withLock({ $0 }) else { throw .loading }
    if isDraining.load(ordering: .relaxed) { throw .serving(.closing) }
    return ready
  }

  /// The placed part of the weights during placement, 0 to 1; nil at other times.
  var progress: Double? {
    guard case .loading(let done, let total) = state.withLock({ $0 }) else { return nil }
    return total > 0 ? Double(done) / Double(total) : 0
  }

  /// The reason why the server cannot continue; nil if it can.
  var failure: Failure? {
    if case .failed(let failure) = state.withLock({ $0 }) { failure } else { nil }
  }

  /// Stops the engine with an error.
  func fail(_ failure: Failure) { state.withLock { $0 = .failed(failure) } }

  /// Accepts no more requests, and waits for the current ones to be answered, for at most `seconds`.
  func drain(seconds: Int) async {
    isDraining.store(true, ordering: .relaxed)
    guard case .ready(let ready) = state.withLock({ $0 }) else { return }
    ready.scheduler.close()
    let end = ContinuousClock.now + .seconds(seconds)
    while ready.scheduler.unfinishedCount > 0, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(20)) }
    ready.scheduler.end()
    // Leave time for the last events to reach the clients.
    while ready.scheduler.unfinishedCount > 0 { try? await Task.sleep(for: .milliseconds(20)) }
    try? await Task.sleep(for: .milliseconds(100))
  }
}

/// Queries the kernel for the places of the weights.
///
/// - Invariant: it uses only those parts of the session that do not change once the weights are placed, so any thread may call it.
struct PlacementProbe: @unchecked Sendable {
  private let session: Session
  /// The weights that a step of each model reads, by node.
  let stepReadings: [[StepReading]]
  /// The bandwidths, measured before the first request because that takes all threads.
  private let bandwidth: [PlacementReport.Bandwidth]

  init(_ session: Session) {
    self.session = session
    stepReadings = session.stepReadings
    bandwidth = session.weights.measuredBandwidth(session.teams)
  }

  /// Returns the nodes of the weights as a document, counted by the kernel at this moment.
  func document() -> JSONObject {
    var report = session.weights.placementReport(session.teams, measuring: false)
    report.bandwidth = bandwidth
    var document = report.document
    let sequences: [JSONValue] = session.group.models.flatMap(\.placements).map { memory in
      [
        "node": .integer(Int128(memory.node)), "byteCount": .integer(Int128(memory.byteCount)),
        "localPages": .integer(Int128(memory.localPages)), "otherPages": .integer(Int128(memory.otherPages)),
      ]
    }
    document["sequences"] = .array(sequences)
    return document
  }
}
