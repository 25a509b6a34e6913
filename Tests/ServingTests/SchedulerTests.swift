// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Glibc
import Grammar
import JSON
import Testing

@testable import Generation
@testable import Inference
@testable import Serving

@Suite("Many requests at a time")
struct SchedulerTests {
  @Test("Sixteen requests on four slots get the answers that each would get alone", .timeLimit(.minutes(5)))
  func together() async throws {
    let model = try ServedModel()
    var requests = (0..<16).map { AnswerRequest.sample($0, length: 1 + $0 * 5) }
    requests.append(.sample(3, length: 20, SamplingOptions(seed: 9)))
    var biased = AnswerRequest.sample(4, length: 9, SamplingOptions(temperature: 0, repetitionPenalty: 1.3))
    biased.sampling.presencePenalty = 0.4
    biased.sampling.frequencyPenalty = 0.2
    biased.sampling.logitBias = [7: 3, 9: -.infinity]
    requests.append(biased)
    // One stops at a text, and one at the end of the context.
    var stopped = AnswerRequest.sample(2, length: 11)
    stopped.stopStrings = [String(try model.alone(stopped).text.dropFirst(3).prefix(2))]
    requests += [stopped, .sample(1, length: 120, answer: 50)]
    let expected = try requests.map(model.alone)
    #expect(expected[18].reason == .stopString && expected[19].reason == .context)

    let replies = try await withThrowingTaskGroup(of: (Int, Reply).self) { group in
      for (index, request) in requests.enumerated() {
        let events = try model.scheduler.submit(request)
        group.addTask { (index, await Reply(events)) }
      }
      return try await group.reduce(into: [Int: Reply]()) { $0[$1.0] = $1.1 }
    }
    for (index, reply) in expected.enumerated() { #expect(replies[index] == reply, "request \(index)") }
    #expect(model.scheduler.unfinishedCount == 0 && model.scheduler.counters.finished == requests.count)
    #expect(model.scheduler.counters.stepSequences > model.scheduler.counters.steps)
  }

  @Test(
    "A known beginning of a prompt is not computed again, and the answer is the same", arguments: ["gemma3", "llama", "qwen3moe"])
  func knownBeginning(_ name: String) async throws {
    let model = try ServedModel(name + "-tiny.gguf", slots: 2)
    let first = AnswerRequest.sample(1, length: 60)
    let expected = try model.alone(first)
    let reply = try await model.answer(first)
    #expect(reply == expected && reply.cached == 0)
    let again = try await model.answer(first)
    #expect(again == expected && again.cached == 59)
    // The conversation continues: prompt, answer, and more.
    var longer = first
    longer.prompt += reply.ids + [5, 6, 7]
    let continued = try await model.answer(longer)
    #expect(continued == (try model.alone(longer)))
    #expect(continued.cached == 60 + reply.ids.count - 1)
    // It differs in the middle.
    var other = first
    other.prompt[30] += 1
    let changed = try await model.answer(other)
    #expect(changed == (try model.alone(other)) && changed.cached == 30)
  }

  @Test("An answer whose biases forbid every token is empty, and not the fault of the model")
  func everythingForbidden() async throws {
    let model = try ServedModel()
    var request = AnswerRequest.sample(1, length: 4)
    request.sampling.logitBias = Dictionary(uniqueKeysWithValues: (0..<Int32(model.tokenizer.count)).map { ($0, -Float.infinity) })
    let reply = try await model.answer(request)
    #expect(reply.ids.isEmpty && reply.reason == .noToken)
  }

  @Test("A request that is no longer read frees its slot, and the others are not affected")
  func leaving() async throws {
    let model = try ServedModel(slots: 2, context: 4096)
    let others = (0..<3).map { AnswerRequest.sample($0, length: 10, answer: 30) }
    let expected = try others.map(model.alone)
    let endless = AnswerRequest.sample(9, length: 40, answer: 4000)
    try beginAndLeave(endless, model.scheduler)
    for (request, reply) in zip(others, expected) { #expect(try await model.answer(request) == reply) }
    while model.scheduler.unfinishedCount > 0 { try await Task.sleep(for: .milliseconds(5)) }
    #expect(model.scheduler.counters.cancelled == 1)
  }

  /// Submits a request, and drops its events once it is being answered. It does not suspend: on a busy machine the answer could be complete
  /// before a task that reads it gets its turn.
  private func beginAndLeave(_ request: AnswerRequest, _ scheduler: Scheduler) throws {
    let events = try scheduler.submit(request)
    while scheduler.counters.steps == 0 { usleep(500) }
    withExtendedLifetime(events) {}
  }

  @Test("Requests beyond the limit of the queue are refused, and so are those that cannot be answered")
  func refusals() throws {
    var options = ServingOptions()
    options.queueLimit = 2
    let model = try ServedModel(slots: 1, context: 64, options: options, starts: false)
    defer { model.start() }
    let streams = try (0..<3).map { try model.scheduler.submit(.sample($0, length: 5)) }
    #expect(streams.count == 3 && model.scheduler.waitingCount == 3)
    func refusal(_ request: AnswerRequest) -> ServingError? {
      do { _ = try model.scheduler.submit(request) } catch { return error }
      return nil
    }
    #expect(refusal(.sample(0, length: 5)) == .queueFull(limit: 2))
    #expect(refusal(AnswerRequest(prompt: [])) == .emptyPrompt)
    #expect(refusal(.sample(0, length: 65)) == .contextFull(tokens: 65, contextLength: 64))
    #expect(refusal(AnswerRequest(prompt: [-1])) == .tokenOutOfRange(token: -1, vocabularySize: model.session.model.vocabularySize))
    model.scheduler.close()
    #expect(refusal(.sample(0, length: 5)) != nil)
  }

  @Test("After close, pending requests are answered; after end, they are given up")
  func ending() async throws {
    let model = try ServedModel(slots: 1, starts: false)
    let request = AnswerRequest.sample(1, length: 9)
    let streams = try (0..<2).map { _ in try model.scheduler.submit(request) }
    model.scheduler.close()
    model.start()
    for stream in streams { #expect(await Reply(stream) == (try model.alone(request))) }
    let other = try ServedModel(slots: 1, context: 4096)
    let long = try (0..<2).map { try other.scheduler.submit(.sample($0, length: 9, answer: 4000)) }
    other.scheduler.end()
    for stream in long {
      let reply = await Reply(stream)
      #expect(reply.reason == .interrupted || reply.failure == .closing)
    }
  }

  @Test("An answer within a schema is the one that the request gets alone, and fits the schema")
  func schema() async throws {
    let model = try ServedModel(slots: 3)
    var request = AnswerRequest.sample(1, length: 20, answer: 60)
    request.ignoresEnd = false
    request.grammar = try Grammar(schema: JSONValue(parsing: #"{"type": "array", "items": {"type": "boolean"}, "maxItems": 2}"#))
    let expected = try model.alone(request)
    let other = try model.scheduler.submit(.sample(2, length: 33))
    let reply = try await model.answer(request)
    #expect(await Reply(other).tokens == 12)
    #expect(reply == expected && reply.reason == .endOfText)
    #expect((try? JSONValue(parsing: reply.text))?.array != nil)
  }

  @Test("A mirror distributes requests over the nodes, and the answers do not change")
  func mirror() async throws {
    let model = try ServedModel(slots: 4, nodes: 2, placement: .mirror)
    #expect(model.session.group.models.count == 2)
    let requests = (0..<6).map { AnswerRequest.sample($0, length: 8 + $0) }
    let expected = try requests.map(model.alone)
    let streams = try requests.map(model.scheduler.submit)
    for (stream, reply) in zip(streams, expected) { #expect(await Reply(stream) == reply) }
  }

  @Test("The likeliest tokens are returned with the logarithms of their probabilities, the chosen token first")
  func probabilities() async throws {
    let model = try ServedModel()
    var request = AnswerRequest.sample(1, length: 12, answer: 5)
    request.likeliestCount = 3
    let reply = try await model.answer(request)
    #expect(reply.predictions.count == 5)
    for token in reply.predictions {
      #expect(token.likeliest.count == 3 && token.likeliest.first == token.probability)
      #expect(token.likeliest.map(\.logarithm) == token.likeliest.map(\.logarithm).sorted(by: >))
      #expect(token.likeliest.allSatisfy { $0.logarithm <= 0 })
    }
    var session = SessionOptions()
    session.teams.threads = 1
    session.simulatedTeams = 1
    let alone = try Session(model.session.pack, options: session).model
    var expected: [Double] = []
    try alone.read(request.prompt) { expected = LogProbabilities($1).values }
    for prediction in reply.predictions[0].likeliest {
      #expect(abs(prediction.logarithm - expected[Int(prediction.token)]) < 1e-9)
    }
  }
}

@Suite("The time that prompts get")
struct PromptShareTests {
  @Test("A new prompt begins at once; after that, each second of steps earns it a share")
  func credit() {
    var share = PromptShare(0.75)
    #expect(share.mayRead)
    share.noteReading(64, 3, isShared: true)
    #expect(!share.mayRead)
    share.noteWriting(0.5)
    #expect(!share.mayRead)
    share.noteWriting(0.5)
    #expect(share.mayRead)
    // Unused time is not saved up.
    share.noteWriting(100)
    share.noteReading(64, 1, isShared: true)
    #expect(!share.mayRead)
    share.noteReading(64, 1, isShared: false)
    #expect(share.mayRead)
  }

  @Test("Chunks take about the same time at any speed of the model, in whole blocks of 16 tokens")
  func chunks() {
    var share = PromptShare(0.5)
    #expect(share.chunk(batch: 512) == 64 && share.chunk(batch: 20) == 20)
    for _ in 0..<20 { share.noteReading(100, 0.1, isShared: true) }
    #expect((192...208).contains(share.chunk(batch: 512)) && share.chunk(batch: 512) % 16 == 0)
    for _ in 0..<40 { share.noteReading(1, 10, isShared: true) }
    #expect(share.chunk(batch: 512) == 16)
  }
}
