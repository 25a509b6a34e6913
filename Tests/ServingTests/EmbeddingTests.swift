// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Generation
import JSON
import TestSupport
import Testing

@testable import GGUF
@testable import Inference
@testable import PackRuntime
@testable import Serving
@testable import Tokenization

@Suite("Embeddings")
struct EmbeddingTests {
  private func request(_ seed: Int, length: Int, _ pooling: Pooling) -> AnswerRequest {
    var request = AnswerRequest.sample(seed, length: length)
    request.pooling = pooling
    return request
  }

  private func embedding(_ events: AsyncStream<AnswerEvent>) async -> [Float]? {
    var found: [Float]?
    for await event in events { if case .embedding(let embedding) = event { found = embedding } }
    return found
  }

  /// Returns the result of a separate model that reads one token per step.
  private func alone(_ request: AnswerRequest, _ model: ServedModel) throws -> [Float] {
    var options = SessionOptions()
    options.teams.threads = 1
    options.simulatedTeams = model.session.pack.manifest.nodeCount
    let session = try Session(model.session.pack, options: options)
    var sum = [Double](repeating: 0, count: session.model.configuration.embeddingLength)
    for (index, token) in request.prompt.enumerated() {
      try session.model.readHidden([token]) { position, state in
        #expect(position == index)
        for element in state.indices {
          sum[element] = (request.pooling == .mean ? sum[element] : 0) + Double(state[element])
        }
      }
    }
    let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return sum.map { Float($0 / length) }
  }

  @Test(
    "A text has the same embedding alone, among others and among answers, however it is divided into steps",
    .timeLimit(.minutes(5)), arguments: [("gemma3-tiny.gguf", 1), ("llama-tiny.gguf", 2), ("qwen3moe-tiny.gguf", 1)],
    Pooling.allCases)
  func together(model named: (gguf: String, nodes: Int), pooling: Pooling) async throws {
    let model = try ServedModel(named.gguf, nodes: named.nodes)
    let requests = (0..<9).map { request($0, length: 1 + $0 * 11, pooling) }
    let answers = (0..<4).map { AnswerRequest.sample($0, length: 30) }
    let expected = try answers.map(model.alone)
    var events: [AsyncStream<AnswerEvent>] = []
    var replies: [AsyncStream<AnswerEvent>] = []
    for (index, request) in requests.enumerated() {
      events.append(try model.scheduler.submit(request))
      if index < answers.count { replies.append(try model.scheduler.submit(answers[index])) }
    }
    for (request, events) in zip(requests, events) {
      let found = try #require(await embedding(events))
      #expect(try found == alone(request, model), "\(request.prompt.count) tokens")
      #expect(abs(found.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
    }
    for (reply, expected) in zip(replies, expected) { #expect(await Reply(reply) == expected) }
    #expect(model.scheduler.unfinishedCount == 0)
  }

  @Test("An embedding uses no cached beginning, and what it displaces is kept")
  func prefixes() async throws {
    var options = ServingOptions()
    options.cacheByteCount = 64 << 20
    let model = try ServedModel(slots: 1, options: options)
    let answer = AnswerRequest.sample(1, length: 60)
    let expected = try model.alone(answer)
    #expect(try await model.answer(answer) == expected)
    var same = answer
    same.pooling = .mean
    #expect(try await embedding(model.scheduler.submit(same)) == alone(same, model))
    let again = try await model.answer(answer)
    #expect(again == expected && again.cached >= 48)
  }

  @Test("Logits are the products of the output head with the states")
  func logits() throws {
    // Its output head is its embedding.
    let model = try ServedModel("gemma3-tiny.gguf", starts: false)
    let own = model.session.model
    let prompt = AnswerRequest.sample(5, length: 20).prompt
    var (states, logits): ([[Float]], [[Float]]) = ([], [])
    try own.readHidden(prompt) { _, state in states.append(state.indices.map { state[$0] }) }
    #expect(own.length(of: 0) == prompt.count)
    own.truncate(0, to: 0)
    try own.read(prompt, logitsFrom: 0) { _, row in logits.append(row.indices.map { row[$0] }) }
    var binder = WeightBinder(model.session.weights.table, kernels: try #require(Kernels(named: nil)), teamCount: 1)
    let output = try ModelWeights(own.configuration, &binder).embedding
    let kernels = try #require(Kernels(named: nil))
    var weights = [Float](repeating: 0, count: own.configuration.embeddingLength)
    func length(_ values: [Float]) -> Float { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    #expect(states.count == prompt.count && logits.count == prompt.count)
    for entry in stride(from: 0, to: own.vocabularySize, by: 7) {
      weights.withUnsafeMutableBufferPointer { row in
        guard let start = row.baseAddress else { return }
        _ = output.dequantize(row: entry, nearestTo: 0, kernels, into: Row(start, count: row.count))
      }
      for (state, logits) in zip(states, logits) {
        let product = zip(state, weights).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        // The products read activations of 8 bits.
        #expect(abs(product - logits[entry]) <= 0.02 * length(state) * length(weights))
      }
    }
    withExtendedLifetime(binder) {}
  }

  @Test("Pooling nothing or NaN gives no embedding, and pooling zeros gives zeros")
  func pools() throws {
    var pool = StatePool(.mean)
    #expect(pool.embedding == nil)
    pool.add([0, 0].span)
    #expect(pool.embedding == [0, 0])
    pool.add([6, 8].span)
    #expect(pool.embedding == [0.6, 0.8])
    pool.add([.nan, 0].span)
    #expect(pool.embedding == nil)
  }

  @Test("The pooling that a model's file asks for is honoured, or refused by name")
  func poolingTypes() throws {
    func pooling(_ value: MetadataValue?) -> Result<Pooling, InterfaceError> {
      var metadata = GGUFMetadata()
      metadata["general.architecture"] = .string(Array("qwen3".utf8))
      metadata["qwen3.pooling_type"] = value
      return Result { () throws(InterfaceError) in try Pooling(metadata) }
    }
    #expect(pooling(nil) == .success(.mean) && pooling(.uint32(0)) == .success(.mean))
    #expect(pooling(.uint32(1)) == .success(.mean) && pooling(.uint32(3)) == .success(.last))
    for (value, name) in [(2, "first token"), (4, "rank"), (9, "qwen3.pooling_type = 9")] as [(UInt32, String)] {
      guard case .failure(let error) = pooling(.uint32(value)) else {
        Issue.record("\(value) is taken")
        continue
      }
      #expect(error.status == 400 && error.message.contains(name) && error.message.contains("qwen3.pooling_type"))
    }
  }
}

@Suite("OpenAI's embeddings")
struct EmbeddingInterfaceTests {
  private func read(_ json: String, _ pooling: Result<Pooling, InterfaceError> = .success(.last)) throws -> InterfaceRequest {
    var pack = try ServedPack.small()
    (pack.embeddingLength, pack.pooling) = (3, pooling)
    return try EmbeddingsRequest.read(JSONValue(parsing: json), pack)
  }

  @Test("Texts, tokens and lists of them become requests in order; anything else is refused by name")
  func inputs() throws {
    func prompts(_ input: String) throws -> [[Int32]] { try read(#"{"input": \#(input), "user": 1}"#).requests.map(\.prompt) }
    let hello = try prompts(#""hello""#)
    #expect(hello.count == 1 && hello[0].count > 1)
    #expect(try prompts(#"["hello"]"#) == hello)
    #expect(try prompts("[1, 2]") == [[1, 2]] && prompts("[[3], [1, 2]]") == [[3], [1, 2]])
    #expect(try prompts(#"["hello", [7], "hello"]"#) == [hello[0], [7], hello[0]])
    let asked = try read(#"{"input": [1], "dimensions": 3, "encoding_format": null}"#)
    #expect(asked.requests[0].pooling == .last && !asked.isStreamed && asked.isList)
    let many = "[" + Array(repeating: "[1]", count: 2049).joined(separator: ",") + "]"
    for input in ["null", "[]", #""""#, #"["a", ""]"#, "[[]]", "[[1], []]", "7", "{}", "[1, \"a\", {}]", "[1.5]", "[null]", many] {
      #expect { try read(#"{"input": \#(input)}"#) } throws: { ($0 as? InterfaceError)?.field == "input" }
    }
    for (fields, field) in [
      (#""dimensions": 2"#, "dimensions"), (#""dimensions": 0"#, "dimensions"), (#""encoding_format": "int8""#, "encoding_format"),
    ] {
      #expect { try read(#"{"input": "a", \#(fields)}"#) } throws: { ($0 as? InterfaceError)?.field == field }
    }
    let refusal = InterfaceError.unsupported(field: "model", problem: "x")
    #expect(throws: refusal) { try read(#"{"input": "a"}"#, .failure(refusal)) }
  }

  private static let summary = AnswerSummary(
    reason: .endOfText, promptTokens: 4, cachedTokens: 0, answerTokens: 0, isComplete: true, waitingSeconds: 0, promptSeconds: 0,
    answerSeconds: 0)

  @Test("Embeddings arrive in the order of the texts, as numbers or as bytes in base 64")
  func documents() throws {
    let embeddings: [[Float]] = [[0.1, -0.2, 3e-8], [1, 0, -0.333_333_34]]
    func document(_ format: String) throws -> JSONValue {
      var encoder = try read(#"{"input": [[1], [2]], "encoding_format": "\#(format)"}"#).encoder
      for index in [1, 0] {
        _ = encoder.take(.embedding(embeddings[index]), ofAnswer: index)
        _ = encoder.take(.finished(Self.summary), ofAnswer: index)
      }
      return encoder.document
    }
    let floats = try document("float")
    #expect(floats["object"] == "list" && floats["usage"] == ["prompt_tokens": 8, "total_tokens": 8])
    #expect(floats["system_fingerprint"] == "pack-00ff" && floats["model"] == "small")
    let base64 = try document("base64")
    for (index, embedding) in embeddings.enumerated() {
      let entry = try #require(floats["data"]?.array?[index])
      #expect(entry["object"] == "embedding" && entry["index"]?.integer == index)
      #expect(entry["embedding"]?.array?.compactMap(\.double).map(Float.init) == embedding)
      #expect(entry["embedding"]?.array?[0] == (index == 0 ? .number(0.1) : .number(1)))
      let bytes = embedding.withUnsafeBytes { Data($0) }
      #expect(base64["data"]?.array?[index]["embedding"]?.string == bytes.base64EncodedString())
    }
  }

  @Test("Base 64 of any number of floats matches Foundation's", arguments: 0..<7)
  func base64(count: Int) {
    let floats = (0..<count).map { Float($0) * 1.7 - 2 }
    #expect(EmbeddingsEncoder.base64(floats) == floats.withUnsafeBytes { Data($0) }.base64EncodedString())
  }
}
