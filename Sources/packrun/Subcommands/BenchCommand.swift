// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import GGUF
import Generation
import Inference
import PackFormat
import PackRuntime

/// `packrun bench`: tokens per second, as llama-bench prints them.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure tokens per second: reading a prompt (pp), and generating (tg).",
    discussion: "Each test runs once to warm up, then -r times; mean ± standard deviation, as llama-bench has it.")

  @OptionGroup var model: ModelArguments

  @Option(name: .shortAndLong, help: "Tokens of the prompt; 0: no such test.")
  var promptTokens = 256

  @Option(name: .shortAndLong, help: "Tokens generated; 0: no such test.")
  var numberOfTokens = 64

  @Option(name: .shortAndLong, help: "Times that each test is measured.")
  var repetitions = 3

  @Option(name: .shortAndLong, help: "Tokens in the context before each test.")
  var depth = 0

  @Option(help: "Sequences that generate together; the rate counts all their tokens. A mirror runs each within one node.")
  var parallel = 1

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    let counts = [promptTokens, numberOfTokens, depth]
    guard counts.allSatisfy({ (0...1 << 28).contains($0) }), promptTokens > 0 || numberOfTokens > 0 else {
      throw ValidationError("-p, -n and -d must be between 0 and \(1 << 28), and -p or -n more than 0.")
    }
    guard repetitions > 0, (1...256).contains(parallel) else {
      throw ValidationError("-r must be at least 1, --parallel between 1 and 256.")
    }
  }

  func run() throws {
    try reportingErrors {
      var arguments = model
      arguments.context = model.context ?? depth + max(promptTokens, numberOfTokens, 16)
      let session = try arguments.session(arguments.open(), sequences: parallel)
      var tests: [(name: String, rates: [Double])] = []
      let models = session.group.models.count
      let suffix = depth > 0 ? " @ d\(depth)" : ""
      if promptTokens > 0 {
        let name = models > 1 ? "pp\(promptTokens) × \(models)" : "pp\(promptTokens)"
        tests.append((name + suffix, try measure(session.group, models * promptTokens, prompt)))
      }
      if numberOfTokens > 0 {
        let name = parallel > 1 ? "tg\(numberOfTokens) × \(parallel)" : "tg\(numberOfTokens)"
        tests.append((name + suffix, try measure(session.group, parallel * numberOfTokens, generate)))
      }
      print(json ? document(session, tests) : table(session, tests))
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
          // What stands in the context is read once; later repetitions forget only what came behind it.
          model.truncate(sequence, to: depth)
          try model.append(tokens(depth - model.length(of: sequence), model), to: sequence) { _, _ in }
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
    try model.append(tokens(promptTokens, model)) { _, _ in }
  }

  private func generate(_ model: Model) throws(ModelError) {
    var next = Array(repeating: Int32(1), count: model.sequenceCount)
    for step in 0..<numberOfTokens {
      try model.step(next.enumerated().map { ($0, $1) }) { _, _ in }
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
    session.pack.metadata.string("general.name") ?? session.model.configuration.architecture.rawValue
  }

  private func table(_ session: Session, _ tests: [(name: String, rates: [Double])]) -> String {
    var rows = [["model", "size", "params", "kernels", "nodes", "threads", "test", "t/s"]]
    for test in tests {
      var rate = MeanWithError()
      for value in test.rates { rate.add(value) }
      rows.append([
        name(session), ByteCount(session.weights.byteCount).description,
        "\(fixed(Double(parameters(session.pack)) / 1e6, 2)) M", session.model.kernelsName, "\(session.teams.teamCount)",
        "\(session.teams.threadCount)", test.name, "\(fixed(rate.mean, 2)) ± \(fixed(rate.deviation, 2))",
      ])
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = rows.map { row in
      "| " + zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: " | ") + " |"
    }
    lines.insert("| " + widths.map { String(repeating: "-", count: $0) }.joined(separator: " | ") + " |", at: 1)
    return lines.joined(separator: "\n")
  }

  private func document(_ session: Session, _ tests: [(name: String, rates: [Double])]) -> String {
    var document = JSONLine()
    document.set("schemaVersion", 1)
    document.set("model", name(session))
    document.set("byteCount", session.weights.byteCount)
    document.set("parameters", parameters(session.pack))
    document.set("kernels", session.model.kernelsName)
    document.set("nodes", session.teams.teamCount)
    document.set("threads", session.teams.threadCount)
    document.set(
      "tests",
      tests.map { test in
        var (entry, rate) = (JSONLine(), MeanWithError())
        for value in test.rates { rate.add(value) }
        entry.set("name", test.name)
        entry.set("tokensPerSecond", rate.mean)
        entry.set("deviation", rate.deviation)
        entry.set("samples", test.rates)
        return entry
      })
    return document.text
  }
}

/// A number with so many decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
  guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
  var scale = 1.0
  for _ in 0..<decimals { scale *= 10 }
  let whole = Int((abs(value) * scale).rounded())
  let digits = String(whole)
  let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
  let sign = value < 0 && whole > 0 ? "-" : ""
  return sign + (decimals == 0 ? padded : padded.dropLast(decimals) + "." + padded.suffix(decimals))
}
