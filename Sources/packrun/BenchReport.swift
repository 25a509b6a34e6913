// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Doctor
import Files
import GGUF
import Generation
import Inference
import JSON
import PackFormat

/// The formats for the results of a benchmark.
enum BenchFormat: String, CaseIterable, ExpressibleByArgument {
  case md, csv, json, jsonl
}

/// The results of a benchmark, and what it measured.
struct BenchReport {
  let session: Session
  let tests: [Test]
  let cache: CacheType
  let depth: Int
  let parallel: Int
  let roofline: Roofline

  private var name: String {
    session.pack.metadata.string("general.name") ?? session.model.configuration.architecture.name
  }

  private var parameters: Int {
    session.pack.manifest.tensors.reduce(0) { $0 + $1.dimensions.reduce(1, *) }
  }

  /// The types of at least a twentieth of the weights, most common first: `Q4_K 61 %, Q6_K 37 %`.
  private var types: String {
    var byteCounts: [String: Int] = [:]
    for tensor in session.pack.manifest.tensors {
      byteCounts[tensor.type.name, default: 0] += tensor.slices.reduce(0) { $0 + $1.byteCount * tensor.expertCount }
    }
    let all = Double(max(byteCounts.values.reduce(0, +), 1))
    let parts = byteCounts.map { (name: $0.key, percent: 100 * Double($0.value) / all) }
      .sorted { ($0.percent, $1.name) > ($1.percent, $0.name) }
    let large = parts.filter { $0.percent >= 5 }
    guard large.count > 1 else { return parts.first?.name ?? "none" }
    return large.map { "\($0.name) \(Decimal($0.percent, 0)) %" }.joined(separator: ", ")
  }

  /// The results as a picture.
  var picture: BenchPicture {
    BenchPicture(
      title: "\(name.oneLine): \(types), \(ByteCount(session.weights.byteCount))",
      subtitle:
        "\(Count(session.teams.teamCount, "node")), \(Count(session.teams.threadCount, "thread")), \(session.model.kernelsName), "
        + "KV cache \(cache.rawValue), memory \(session.weights.kind.rawValue)",
      tests: tests.map(roofline.bar))
  }

  /// Returns a table in the form of llama-bench, followed by what each test reached compared with the machine's limits.
  ///
  /// - Parameter columns: The width of the terminal; nil means no limit.
  func table(columns: Int?) -> [String] {
    var table = Table([
      ("model", .left), ("types", .left), ("size", .right), ("params", .right), ("kernels", .left), ("kv", .left),
      ("memory", .left),
      ("nodes", .right), ("threads", .right), ("test", .left), ("t/s", .right),
    ])
    for test in tests {
      table.append([
        name.oneLine, types, ByteCount(session.weights.byteCount).description, "\(Decimal(Double(parameters) / 1e6, 2)) M",
        session.model.kernelsName, cache.rawValue, session.weights.kind.rawValue, "\(session.teams.teamCount)",
        "\(session.teams.threadCount)", test.name, "\(Decimal(test.rate.mean, 2)) ± \(Decimal(test.rate.deviation, 2))",
      ])
    }
    let isNarrow = columns.map { $0 < table.markdown[0].count } ?? false
    return (isNarrow ? table.records : table.markdown) + roofline.lines(tests)
  }

  /// The fields that are the same for all tests.
  private var setup: JSONObject {
    var setup = JSONObject()
    setup.set("model", name)
    setup.set("architecture", session.model.configuration.architecture.name)
    setup.set("types", types)
    setup.set("byteCount", session.weights.byteCount)
    setup.set("parameters", parameters)
    setup.set("kernels", session.model.kernelsName)
    setup.set("kv", cache.rawValue)
    setup.set("memory", session.weights.kind.rawValue)
    setup.set("nodes", session.teams.teamCount)
    setup.set("threads", session.teams.threadCount)
    setup.set("depth", depth)
    setup.set("parallel", parallel)
    return setup
  }

  private func json(_ test: Test) -> JSONObject {
    var json = test.json
    roofline.add(test, to: &json)
    return json
  }

  /// The results as one document.
  var document: JSONObject {
    var document = setup
    document.set("tests", tests.map(json))
    document.set("limits", roofline.limits)
    return document
  }

  /// The results as one object per test, each with the fields that are the same for all.
  var events: [JSONObject] {
    tests.map { test in
      var event = setup
      event.set("schemaVersion", 1)
      for (name, value) in json(test).members { event[name == "name" ? "test" : name] = value }
      return event
    }
  }

  /// The results as comma-separated values (RFC 4180), a header line and a line per test, without the samples.
  var csv: String {
    let names = [
      "model", "architecture", "types", "byteCount", "parameters", "kernels", "kv", "memory", "nodes", "threads", "depth",
      "parallel", "test",
      "tokensPerSecond", "deviation",
    ]
    let rows = events.map { event in names.map { Self.cell(event[$0]) }.joined(separator: ",") }
    return ([names.joined(separator: ",")] + rows).joined(separator: "\n")
  }

  private static func cell(_ value: JSONValue?) -> String {
    guard let value else { return "" }
    guard let text = value.string else { return value.description }
    let plain = text.oneLine
    return plain.contains { $0 == "," || $0 == "\"" } ? "\"\(plain.replacing("\"", with: "\"\""))\"" : plain
  }
}
