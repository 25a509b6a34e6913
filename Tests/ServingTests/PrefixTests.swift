// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Foundation
import PackFormat
import Synchronization
import TestSupport
import Testing

@testable import Generation
@testable import Inference
@testable import Serving

/// A folder for prefixes, with what is logged about it.
private final class PrefixFolder: Sendable {
  let path = FileManager.default.temporaryDirectory.appending(path: "prefixes-\(UUID().uuidString)").path
  private let lines = Mutex<[String]>([])

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var log: [String] { lines.withLock { $0 } }
  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

  func options(memory: Int = 0, limit: Int = 1 << 30, pack: String = "a") throws -> ServingOptions {
    var options = ServingOptions()
    options.cacheByteCount = memory
    options.store = try PrefixStore(path, limit: limit, pack: Digest(of: Array(pack.utf8))) { [self] line in
      lines.withLock { $0.append(line) }
    }
    return options
  }

  /// Changes the bytes of a file.
  func change(_ name: String, _ body: (inout [UInt8]) -> Void) throws {
    let url = URL(filePath: path).appending(path: name)
    var bytes = [UInt8](try Data(contentsOf: url))
    body(&bytes)
    try Data(bytes).write(to: url)
  }
}

@Suite("What is kept of prompts")
struct PrefixTests {
  private static let inMemory = {
    var options = ServingOptions()
    options.cacheByteCount = 256 << 20
    return options
  }()

  @Test(
    "A prompt whose slot was taken by others is found in memory, and its answer is the same to the token",
    arguments: ["gemma3", "llama", "qwen3moe"], [CacheType.f16, .q8_0])
  func memory(_ name: String, _ type: CacheType) async throws {
    let model = try ServedModel(name + "-tiny.gguf", slots: 1, cacheType: type, options: Self.inMemory)
    let requests = (0..<3).map { AnswerRequest.sample($0, length: 50 + $0) }
    let expected = try requests.map(model.alone)
    for (request, reply) in zip(requests, expected) {
      let answer = try await model.answer(request)
      #expect(answer == reply && answer.cached < 16)
    }
    for (request, reply) in zip(requests, expected) {
      let answer = try await model.answer(request)
      #expect(answer == reply && answer.cached == request.prompt.count - 1)
    }
    #expect(model.scheduler.counters.cachedMemoryTokens == 49 + 50 + 51)
    #expect(model.scheduler.counters.prefixes >= 2 && model.scheduler.counters.prefixBytes > 0)
    // Only a part matches.
    var changed = requests[0]
    changed.prompt[37] += 1
    let answer = try await model.answer(changed)
    #expect(answer == (try model.alone(changed)) && answer.cached == 37)
  }

  @Test("The part of a prompt that a busy slot has is copied while that slot continues")
  func busy() async throws {
    let model = try ServedModel(slots: 2, context: 512, options: Self.inMemory)
    let long = AnswerRequest.sample(1, length: 60, answer: 400)
    let short = AnswerRequest.sample(1, length: 70)
    let expected = (try model.alone(long), try model.alone(short))
    let first = try model.scheduler.submit(long)
    while model.scheduler.counters.steps < 2 { try await Task.sleep(for: .milliseconds(1)) }
    let second = try await model.answer(short)
    #expect(second == expected.1 && second.cached >= 59)
    #expect(await Reply(first) == expected.0)
  }

  @Test(
    "A prompt is found on disk after a restart, on any number of nodes",
    arguments: [(1, CacheType.f16), (2, .f16), (1, .q8_0)])
  func restart(_ nodes: Int, _ type: CacheType) async throws {
    let folder = PrefixFolder()
    let request = AnswerRequest.sample(1, length: 70)
    let first = try ServedModel(slots: 2, nodes: nodes, cacheType: type, options: folder.options())
    let expected = try await first.answer(request)
    first.finish()
    #expect(folder.names.count == 1 && folder.names.allSatisfy(PrefixHeader.isName) && folder.log == [])
    let second = try ServedModel(slots: 2, nodes: nodes, cacheType: type, options: folder.options())
    let answer = try await second.answer(request)
    #expect(answer == expected && answer.cached == 69)
    #expect(second.scheduler.counters.cachedDiskTokens == 69)
    // The conversation continues, and the longer file replaces the shorter one.
    var longer = request
    longer.prompt += answer.ids + [5, 6, 7]
    #expect(try await second.answer(longer) == (try second.alone(longer)))
    second.finish()
    #expect(folder.names.count == 1 && folder.log == [])
    // Another pack neither uses nor removes it.
    let third = try ServedModel(slots: 2, nodes: nodes, cacheType: type, options: folder.options(pack: "b"))
    #expect(try await third.answer(request).cached == 0)
    third.finish()
    #expect(folder.names.count == 2)
  }

  private static let oracles = SharedOracles.folder(holding: "README.md")

  @Test(
    "Models whose layers keep a state, latents or an indexer's keys continue from a copy of them",
    .enabled(if: oracles != nil, "no ../shared/oracles here; GGUFPACK_SHARED may name the folder that holds `oracles`"),
    arguments: [
      ("qwen3next", 64), ("kimi-linear", 64), ("nemotron_h_moe", 64), ("lfm2moe", 64), ("deepseek2", 69), ("deepseek32-topk", 69),
    ])
  func copies(_ name: String, count: Int) async throws {
    let path = try #require(Self.oracles).appending(path: "tiny/\(name)-5.F16.gguf").path
    let folder = PrefixFolder()
    let request = AnswerRequest.sample(1, length: 70)
    let model = try ServedModel(path, slots: 1, checkpoints: 16, options: folder.options(memory: 256 << 20))
    let expected = try model.alone(request)
    #expect(try await model.answer(request) == expected)
    #expect(try await model.answer(.sample(2, length: 40)).cached == 0)
    let again = try await model.answer(request)
    #expect(again == expected && again.cached == count)
    model.finish()
    let second = try ServedModel(path, slots: 1, checkpoints: 16, options: folder.options())
    let restored = try await second.answer(request)
    #expect(restored == expected && restored.cached == count)
  }

  @Test("Damaged files are removed with a line in the log, and answers are right")
  func damage() async throws {
    let folder = PrefixFolder()
    let request = AnswerRequest.sample(1, length: 70)
    let first = try ServedModel(slots: 1, options: folder.options())
    let expected = try await first.answer(request)
    first.finish()
    let name = try #require(folder.names.first)
    let changes: [(inout [UInt8]) -> Void] = [
      { $0[$0.count - 5000] ^= 1 }, { $0[137] ^= 1 }, { $0[41] ^= 1 }, { $0.removeLast(4096) }, { $0 = Array("no prefix".utf8) },
    ]
    for (index, change) in changes.enumerated() {
      try folder.change(name, change)
      let model = try ServedModel(slots: 1, options: folder.options())
      let answer = try await model.answer(request)
      #expect(answer == expected && answer.cached == 0, "change \(index)")
      #expect(folder.log.count == index + 1 && folder.log.last?.hasSuffix("removed") == true, "\(folder.log)")
      // It is written again.
      model.finish()
      #expect(folder.names == [name])
    }
  }

  @Test("A file that was not completed is never used and is removed at the next start, and other files stay")
  func half() async throws {
    let folder = PrefixFolder()
    let first = try ServedModel(slots: 1, options: folder.options())
    _ = try await first.answer(.sample(1, length: 70))
    first.finish()
    let name = try #require(folder.names.first)
    let url = URL(filePath: folder.path)
    // 2^22 is more than any process id.
    let half = url.appending(path: ".\(name).4194304.0")
    try Data("half".utf8).write(to: half)
    try Data("mine".utf8).write(to: url.appending(path: "notes.txt"))
    let second = try ServedModel(slots: 1, options: folder.options())
    #expect(try await second.answer(.sample(1, length: 70)).cached == 69)
    #expect(folder.names == [name, "notes.txt"].sorted())
  }

  @Test("The folder keeps its size limit: the least recently used files are removed first")
  func size() async throws {
    let folder = PrefixFolder()
    let probe = try ServedModel(slots: 1, options: folder.options())
    _ = try await probe.answer(.sample(0, length: 60))
    probe.finish()
    let file = try #require(folder.names.first)
    let byteCount = try Data(contentsOf: URL(filePath: folder.path).appending(path: file)).count
    let model = try ServedModel(slots: 1, options: folder.options(limit: 5 * byteCount / 2))
    for seed in 1..<5 { _ = try await model.answer(.sample(seed, length: 60)) }
    model.finish()
    #expect(folder.names.count == 2 && !folder.names.contains(file) && folder.log == [])
  }

  @Test("Prefixes in memory keep their size limit")
  func memorySize() async throws {
    let probe = try ServedModel(slots: 1, options: Self.inMemory)
    for seed in 0..<2 { _ = try await probe.answer(.sample(seed, length: 60)) }
    let byteCount = probe.scheduler.counters.prefixBytes
    var options = ServingOptions()
    options.cacheByteCount = 5 * byteCount / 2
    let model = try ServedModel(slots: 1, options: options)
    for seed in 0..<6 { _ = try await model.answer(.sample(seed, length: 60)) }
    #expect(model.scheduler.counters.prefixes == 2 && model.scheduler.counters.prefixBytes == 2 * byteCount)
    #expect(try await model.answer(.sample(4, length: 60)).cached == 59)
    #expect(try await model.answer(.sample(0, length: 60)).cached < 16)
  }
}
