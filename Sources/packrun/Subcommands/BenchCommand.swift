// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import GGUF
import Generation
import Inference
import JSON
import ModelConsole
import PackFormat
import PackRuntime

/// `packrun bench`: measures tokens per second, printed in the form of llama-bench.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure tokens per second: reading a prompt (pp), and generating (tg).",
    discussion:
      "Each test runs once to warm up and is then measured -r times; the rate is mean ± standard deviation, as in llama-bench. -p and -n take several numbers, such as 64,256."
  )

  @OptionGroup var model: ModelArguments

  @Option(name: .shortAndLong, help: "Tokens of the prompt, for each test; 0 skips it. (default: 256)", transform: Self.counts)
  var promptTokens = [256]

  @Option(name: .shortAndLong, help: "Tokens to generate, for each test; 0 skips it. (default: 64)", transform: Self.counts)
  var numberOfTokens = [64]

  @Option(name: .shortAndLong, help: "How many times each test is measured.")
  var repetitions = 3

  @Option(name: .shortAndLong, help: "Tokens already in the context before each test.")
  var depth = 0

  @Option(
    help: "Generate this many sequences together; the rate counts the tokens of all. With a mirror, each runs within one node.")
  var parallel = 1

  @Option(
    name: .shortAndLong,
    help: "How to print the results: md (a Markdown table), csv, json (one document) or jsonl (a line for each test).")
  var output = BenchFormat.md

  @Flag(help: "The same as -o json.")
  var json = false

  @Option(
    help: "Also draw the results beside the machine's limits in this SVG file.", completion: .file(extensions: ["svg"]))
  var svg: String?

  private static func counts(_ text: String) throws -> [Int] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
      guard let count = Int(word) else { throw ValidationError("write numbers of tokens, such as 64 or 64,256") }
      return count
    }
  }

  func validate() throws {
    let counts = promptTokens + numberOfTokens
    guard (counts + [depth]).allSatisfy({ (0...1 << 28).contains($0) }), counts.contains(where: { $0 > 0 }) else {
      throw ValidationError("-p, -n and -d must be between 0 and \(1 << 28), and -p or -n must be more than 0")
    }
    if svg == "-" { throw ValidationError("--svg -: this cannot be written to standard output; name a file") }
    guard repetitions > 0, (1...256).contains(parallel) else {
      throw ValidationError("-r must be at least 1, and --parallel between 1 and 256")
    }
  }

  func run() throws {
    var arguments = model
    // A file that cannot be written must fail before anything is measured.
    if let svg { _ = try WholeFile<FileError>(svg) }
    arguments.context = model.context ?? depth + max((promptTokens + numberOfTokens).max() ?? 0, 16)
    let session = try arguments.session(arguments.open(), sequences: parallel)
    let models = session.group.models.count
    let suffix = depth > 0 ? " @ d\(depth)" : ""
    var tests: [Test] = []
    for count in promptTokens where count > 0 {
      let samples = try measure(session.group, models * count) { model throws(ModelError) in
        try unsafe model.append(tokens(count, model)) { _, _ in }
      }
      tests.append(
        Test(name: (models > 1 ? "pp\(count) × \(models)" : "pp\(count)") + suffix, tokens: count, isPrompt: true, samples: samples)
      )
    }
    for count in numberOfTokens where count > 0 {
      let samples = try measure(session.group, parallel * count) { model throws(ModelError) in try generate(count, model) }
      tests.append(
        Test(
          name: (parallel > 1 ? "tg\(count) × \(parallel)" : "tg\(count)") + suffix, tokens: count, isPrompt: false,
          samples: samples))
    }
    let report = BenchReport(
      session: session, tests: tests, cache: model.kv, depth: depth, parallel: parallel,
      roofline: Roofline(session, sequences: parallel, depth: depth))
    switch json ? .json : output {
    case .md: Output.print(lines: report.table(columns: StandardStream.output.columns))
    case .csv: Output.print(report.csv)
    case .json: Output.print(document: report.document)
    case .jsonl: for event in report.events { Output.print(event: event) }
    }
    if let svg { try WholeFile<FileError>.write(report.picture.svg, to: svg) }
  }

  /// Returns the tokens per second of each repetition, after one to warm up. Each repetition computes `count` tokens.
  private func measure(
    _ group: ModelGroup, _ count: Int, _ test: (Model) throws(ModelError) -> Void
  ) throws(ModelError) -> [Double] {
    var rates: [Double] = []
    for repetition in 0...repetitions {
      try group.forEachModel { model throws(ModelError) in
        for sequence in 0..<model.sequenceCount {
          // The tokens of the context are computed once; later repetitions drop only what came after them.
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

  private func generate(_ count: Int, _ model: Model) throws(ModelError) {
    var next = Array(repeating: Int32(1), count: model.sequenceCount)
    for step in 0..<count {
      try unsafe model.step(next.enumerated().map { ($0, $1) }) { _, _ in }
      for index in next.indices { next[index] = Int32((step * 7919 + index * 31 + 17) % model.vocabularySize) }
    }
  }

  private func tokens(_ count: Int, _ model: Model) -> [Int32] {
    (0..<count).map { Int32(($0 * 7919 + 13) % model.vocabularySize) }
  }
}

/// The results of one test.
struct Test {
  var name: String
  /// The tokens of each sequence.
  var tokens: Int
  /// Whether they were computed together, as a prompt is, or generated one by one.
  var isPrompt: Bool
  /// The tokens per second of each repetition.
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
