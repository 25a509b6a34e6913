// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import CKernels
import CLoops
import Foundation
import GGUF
import PackFormat

/// Measures the 16-row kernels against the memory limit (one column) and the clock limit (many columns).
@main
struct KernelBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernels",
    abstract: "Measures the 16-row kernels.",
    discussion: """
      decode: one column, weights of --megabytes, so that they come from memory; beside it, a plain loop that reads the same bytes, \
      taken in turns with the kernel. prefill: --columns columns, a few thousand rows.
      All figures are medians of --runs runs, or those of the fastest run with --fastest, which is the steadier one on a machine \
      that has other things to do. Time is the CPU time of the thread that took most. "of limit" compares prefill with two \
      multiplying instructions a cycle.
      """)

  @Option(help: "Weight types, separated by commas (all that have a 16-row form).")
  var types: String?
  @Option(help: "Instruction sets, separated by commas (all that this CPU runs).")
  var isas: String?
  @Option(help: "Numbers of threads, separated by commas.")
  var threads = "1,2"
  @Option(help: "Size of the weights in decode, in MiB; several times the last-level cache.")
  var megabytes = 192
  @Option(help: "Columns in prefill.")
  var columns = 256
  @Option(help: "Length of the rows.")
  var k = 2048
  @Option(help: "Rows in prefill.")
  var rows = 1024
  @Option(help: "Runs of each measurement.")
  var runs = 7
  @Flag(help: "The fastest run instead of the median.")
  var fastest = false
  @Flag(help: "Only decode.")
  var onlyDecode = false
  @Flag(help: "Only prefill.")
  var onlyPrefill = false
  @Flag(name: .customLong("json"), help: "One JSON document instead of tables.")
  var asJSON = false

  struct Report: Codable {
    var schemaVersion = 1
    var gigahertz: Double
    var measurements: [Measurement] = []
  }

  func run() throws {
    let types = try chosenTypes(), tables = try chosenTables()
    let threads = self.threads.split(separator: ",").compactMap { Int32($0) }.filter { $0 > 0 }
    var report = Report(
      gigahertz: Double(chain_cycles) / Measurement.typical((0..<5).map { _ in timed(1, run_chain, nil) }, fastest: true) / 1e9)
    if !asJSON { print("clock: \(Measurement.text(report.gigahertz)) GHz\n\(Measurement.heading)") }
    for count in threads {
      for type in types {
        if !onlyPrefill, let problem = decodeProblem(type, tables[0]) {
          for table in tables { add(.decode(problem, table, threads: count, runs: runs, fastest: fastest), to: &report) }
        }
        if !onlyDecode, let problem = prefillProblem(type, tables[0]) {
          for table in tables { add(.prefill(problem, table, threads: count, runs: runs, fastest: fastest), to: &report) }
        }
      }
    }
    if asJSON {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      print(String(decoding: try encoder.encode(report), as: UTF8.self))
    }
  }

  private func add(_ measurement: Measurement?, to report: inout Report) {
    guard let measurement else { return }
    report.measurements.append(measurement)
    if !asJSON { print(measurement.row(gigahertz: report.gigahertz)) }
  }

  private func decodeProblem(_ type: WeightType, _ table: ck_table) -> Problem? {
    Problem(type, k: k, byteCount: megabytes << 20, columns: 1, table: table)
  }

  private func prefillProblem(_ type: WeightType, _ table: ck_table) -> Problem? {
    let rowBytes = type.byteCount(elements: k) ?? 0
    return Problem(type, k: k, byteCount: rows * (rowBytes + 8), columns: columns, table: table)
  }

  private func chosenTypes() throws -> [WeightType] {
    guard let types else { return WeightType.allCases.filter { InterleavedForm($0) != nil } }
    return try types.split(separator: ",").map {
      guard let type = WeightType(name: String($0)), InterleavedForm(type) != nil else {
        throw ValidationError("\($0) is not a weight type with a 16-row form")
      }
      return type
    }
  }

  private func chosenTables() throws -> [ck_table] {
    var names: [String] = []
    var next = ck_available()
    while let name = next?.pointee {
      names.append(String(cString: name))
      next = next?.advanced(by: 1)
    }
    if let isas { names = isas.split(separator: ",").map(String.init) }
    return try names.map {
      guard let table = ck_select($0) else { throw ValidationError("this CPU does not run an instruction set called \($0)") }
      return table.pointee
    }
  }
}
