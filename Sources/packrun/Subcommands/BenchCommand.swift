// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import GGUF
import Generation
import Inference
import JSON
import PackFormat
import PackRuntime

/// `packrun bench`: tokens per second, as llama-bench prints them.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure tokens per second: reading a prompt (pp), and generating (tg).",
    discussion:
      "Each test runs once to warm up and is then measured -r times; the rate is mean ± standard deviation, as in llama-bench.")

  @OptionGroup var model: ModelArguments

  @Option(name: .shortAndLong, help: "Tokens of the prompt; 0 skips this test.")
  var promptTokens = 256

  @Option(name: .shortAndLong, help: "Tokens to generate; 0 skips this test.")
  var numberOfTokens = 64

  @Option(name: .shortAndLong, help: "How often each test is measured.")
  var repetitions = 3

  @Option(name: .shortAndLong, help: "Tokens that are in the context before each test.")
  var depth = 0

  @Option(
    help: "How many sequences generate together; the rate counts the tokens of all. With a mirror, each runs within one node.")
  var parallel = 1

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    let counts = [promptTokens, numberOfTokens, depth]
    guard counts.allSatisfy({ (0...1 << 28).contains($0) }), promptTokens > 0 || numberOfTokens > 0 else {
      throw ValidationError("-p, -n and -d must be between 0 and \(1 << 28), and -p or -n must be more than 0")
    }
    guard repetitions > 0, (1...256).contains(parallel) else {
      throw ValidationError("-r must be at least 1, and --parallel between 1 and 256")
    }
  }

  func run() throws {
    var arguments = model
    arguments.context = model.context ?? depth + max(promptTokens, numberOfTokens, 16)
    let session = try arguments.session(arguments.open(), sequences: parallel)
    let models = session.group.models.count
    let suffix = depth > 0 ? " @ d\(depth)" : ""
    var tests: [Test] = []
    if promptTokens > 0 {
      let name = models > 1 ? "pp\(promptTokens) × \(models)" : "pp\(promptTokens)"
      tests.append(
        Test(
          name: name + suffix, tokens: promptTokens, isPrompt: true,
          samples: try measure(session.group, models * promptTokens, prompt)))
    }
    if numberOfTokens > 0 {
      let name = parallel > 1 ? "tg\(numberOfTokens) × \(parallel)" : "tg\(numberOfTokens)"
      tests.append(
        Test(
          name: name + suffix, tokens: numberOfTokens, isPrompt: false,
          samples: try measure(session.group, parallel * numberOfTokens, generate)))
    }
    let roofline = Roofline(session, sequences: parallel, depth: depth)
    if json {
      Output.print(document: document(session, tests, roofline))
    } else {
      Output.print(table(session, tests))
      Output.print(roofline.lines(tests).joined(separator: "\n"))
    }
  }

  /// Tokens per second of each repetition, after one to warm up; each computes `count` tokens.
  private func measure(
    _ group: ModelGroup, _ count: Int, _ test: (Model) throws(ModelError) -> Void
  ) throws(ModelError) -> [Double] {
    var rates: [Double] = []
    for repetition in 0...repetitions {
      try group.forEachModel { model throws(ModelError) in
        for sequence in 0..<model.sequenceCount {
          // The tokens of the context are read once; later repetitions forget only what came after it.
          model.truncate(sequence, to: depth)
          try unsafe model.append(tokens(depth - model.length(of: sequence), model), to: sequence) { _, _ in }
        }
      }
      let clock = ContinuousClock()
      let start = clock.now
      try group.forEachModel(test)
      let seconds = (clock.now - start) / .seconds(1)
      if repetition > 0 { rates.append(Double(count) / seconds) }
    }
    return rates
  }

  private func prompt(_ model: Model) throws(ModelError) {
    try unsafe model.append(tokens(promptTokens, model)) { _, _ in }
  }

  private func generate(_ model: Model) throws(ModelError) {
    var next = Array(repeating: Int32(1), count: model.sequenceCount)
    for step in 0..<numberOfTokens {
      try unsafe model.step(next.enumerated().map { ($0, $1) }) { _, _ in }
      for index in next.indices { next[index] = Int32((step * 7919 + index * 31 + 17) % model.vocabularySize) }
    }
  }

  private func tokens(_ count: Int, _ model: Model) -> [Int32] {
    (0..<count).map { Int32(($0 * 7919 + 13) % model.vocabularySize) }
  }

  private func parameters(_ pack: Pack) -> Int {
    pack.manifest.tensors.reduce(0) { $0 + $1.dimensions.reduce(1, *) }
  }

  private func name(_ session: Session) -> String {
    session.pack.metadata.string("general.name") ?? session.model.configuration.architecture.name
  }

  private func table(_ session: Session, _ tests: [Test]) -> String {
    var table = Table([
      ("model", .left), ("size", .right), ("params", .right), ("kernels", .left), ("nodes", .right), ("threads", .right),
      ("test", .left), ("t/s", .right),
    ])
    for test in tests {
      table.append([
        name(session).oneLine, ByteCount(session.weights.byteCount).description,
        "\(Decimal(Double(parameters(session.pack)) / 1e6, 2)) M", session.model.kernelsName, "\(session.teams.teamCount)",
        "\(session.teams.threadCount)", test.name, "\(Decimal(test.rate.mean, 2)) ± \(Decimal(test.rate.deviation, 2))",
      ])
    }
    return table.markdown.joined(separator: "\n")
  }

  private func document(_ session: Session, _ tests: [Test], _ roofline: Roofline) -> JSONObject {
    var document = JSONObject()
    document.set("model", name(session))
    document.set("byteCount", session.weights.byteCount)
    document.set("parameters", parameters(session.pack))
    document.set("kernels", session.model.kernelsName)
    document.set("nodes", session.teams.teamCount)
    document.set("threads", session.teams.threadCount)
    let entries = tests.map { test -> JSONObject in
      var json = test.json
      roofline.add(test, to: &json)
      return json
    }
    document.set("tests", entries)
    document.set("limits", roofline.limits)
    return document
  }
}

/// A test's tokens per second.
struct Test {
  var name: String
  /// Tokens of each sequence.
  var tokens: Int
  /// Whether they were read together, as a prompt is, or generated one after the other.
  var isPrompt: Bool
  /// Of each repetition.
  var samples: [Double]

  var rate: MeanWithError {
    var rate = MeanWithError()
    for sample in samples { rate.add(sample) }
    return rate
  }

  var json: JSONObject {
    var json = JSONObject()
    json.set("name", name)
    json.set("tokensPerSecond", rate.mean)
    json.set("deviation", rate.deviation)
    json.set("samples", samples)
    return json
  }
}
