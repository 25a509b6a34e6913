// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Foundation
import Repack
import TestSupport

@testable import GGUF
@testable import Generation
@testable import Inference
@testable import PackFormat
@testable import Serving
@testable import Tokenization

/// A tiny model of the package with a running scheduler.
final class ServedModel {
  let session: Session
  let tokenizer: Tokenizer
  let scheduler: Scheduler
  private let folder: URL
  private let done = DispatchSemaphore(value: 0)
  /// Whether a thread answers requests, which must be waited for at the end.
  private var isStarted = false

  /// - Parameter gguf: The name of a fixture, or the path of a GGUF.
  init(
    _ gguf: String = "gemma3-tiny.gguf", slots: Int = 4, context: Int = 128, batch: Int = 16, nodes: Int = 1,
    placement: PackManifest.Placement = .shard, cacheType: CacheType = .f16, checkpoints: Int = 256,
    options serving: ServingOptions = ServingOptions(), starts: Bool = true
  ) throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "fixtures")
    folder = FileManager.default.temporaryDirectory.appending(path: "serving-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var packing = PackOptions()
    packing.nodeCount = nodes
    packing.placement = placement
    packing.alignment = 1 << 16
    let path = folder.appending(path: "model.pack").path
    let model = try GGUFModel.open(gguf.hasPrefix("/") ? gguf : fixtures.appending(path: gguf).path)
    try PackConverter(model, plan: PackPlan(model, options: packing)).run(to: path)
    var options = SessionOptions()
    options.simulatedTeams = nodes
    options.teams.threads = nodes
    options.model.contextLength = context
    options.model.batchSize = batch
    options.model.sequenceCount = slots
    options.model.cacheType = cacheType
    options.model.checkpointInterval = checkpoints
    session = try Session(path, options: options)
    tokenizer = try Tokenizer(metadata: session.pack.metadata)
    scheduler = Scheduler(session.group, tokenizer, options: serving)
    if starts { start() }
  }

  /// Accepts no more requests, and returns when everything that is kept has been written.
  func finish() {
    scheduler.close()
    done.wait()
    done.signal()
  }

  deinit {
    scheduler.end()
    if isStarted { done.wait() }
    try? FileManager.default.removeItem(at: folder)
  }

  /// Starts a thread that answers requests.
  func start() {
    isStarted = true
    // The models belong to the thread until it ends, which `deinit` waits for.
    nonisolated(unsafe) let group = session.group
    let (scheduler, done) = (scheduler, done)
    Thread {
      try? scheduler.run(group)
      done.signal()
    }.start()
  }

  /// Returns packrun's answer: from a separate model, without other sequences.
  func alone(_ request: AnswerRequest) throws -> Reply {
    var options = SessionOptions()
    options.teams.threads = 1
    options.simulatedTeams = session.pack.manifest.nodeCount
    options.model.contextLength = session.model.contextLength
    options.model.cacheType = session.options.model.cacheType
    let session = try Session(session.pack, options: options)
    var generator = Generator(session.model, tokenizer)
    generator.maximumTokens = request.maximumTokens
    generator.stopStrings = request.stopStrings
    generator.ignoresEnd = request.ignoresEnd
    generator.constraint = request.grammar.map { AnswerConstraint($0, .init(tokenizer)) }
    var sampler = Sampler(request.sampling, vocabularySize: session.model.vocabularySize)
    var text = ""
    let result = try generator.run(prompt: request.prompt, sampler: &sampler, isInterrupted: { false }) { text += $1 }
    return Reply(text: text, tokens: result.tokens.count, reason: result.reason)
  }

  /// Returns the answer to a request that runs among others.
  func answer(_ request: AnswerRequest) async throws -> Reply {
    try await Reply(scheduler.submit(request))
  }
}

/// A complete answer.
struct Reply: Equatable {
  var text = ""
  var tokens = 0
  var reason: StopReason?
  var cached = 0
  var failure: ServingError?
  var ids: [Int32] = []
  var predictions: [AnswerToken] = []

  init(text: String, tokens: Int, reason: StopReason) { (self.text, self.tokens, self.reason) = (text, tokens, reason) }

  init(_ events: AsyncStream<AnswerEvent>) async {
    for await event in events {
      switch event {
      case .started(let count): cached = count
      case .read, .embedding: break
      case .token(let token):
        text += token.text
        if let id = token.id { ids.append(id) }
        if token.probability != nil { predictions.append(token) }
      case .finished(let summary): (reason, tokens) = (summary.reason, summary.answerTokens)
      case .failed(let error): failure = error
      }
    }
  }

  static func == (left: Reply, right: Reply) -> Bool {
    left.text == right.text && left.tokens == right.tokens && left.reason == right.reason && left.failure == right.failure
  }
}

extension AnswerRequest {
  /// Returns a prompt of arbitrary tokens, for an answer of the given length.
  static func sample(_ seed: Int, length: Int, answer: Int = 12, _ sampling: SamplingOptions = .greedy) -> AnswerRequest {
    var request = AnswerRequest(prompt: (0..<length).map { Int32(($0 * 37 + seed * 101) % 200 + 3) })
    request.maximumTokens = answer
    request.sampling = sampling
    request.ignoresEnd = true
    return request
  }
}

extension ServedPack {
  /// A template that writes roles, contents and an argument `x` of calls, in the form of a family that thinks and calls tools.
  static let smallTemplate =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls %}{{ c.function.arguments.x }}{% endfor %}\n"
    + "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}<tool_call></tool_call><think></think>"

  /// Returns a pack with a small vocabulary, as requests and answers know it.
  static func small() throws -> ServedPack {
    ServedPack(
      name: "small", digest: "00ff", created: 7, tokenizer: try Tokenizer(metadata: SmallVocabulary.sentencePiece()),
      template: .success(try ChatTemplate(source: smallTemplate)),
      date: { TemplateDate(year: 2026, month: 3, day: 1, hour: 12, minute: 30, second: 0) }, contextLength: 4096,
      embeddingLength: 2, pooling: .success(.mean))
  }
}
