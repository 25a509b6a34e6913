// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import CKernels
import Foundation
import GGUF

/// Measures attention and the other operations of a layer, on one thread.
@main
struct OperationBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "operations",
    abstract: "Measures attention and the other operations of a layer, on one thread.",
    discussion: """
      attention: decode of one token over --context positions, with enough heads that keys and values come from memory, in turn with a \
      loop that only reads them; prefill of --tokens tokens after the same context, in turn with a straightforward loop.
      operations: elements for each nanosecond, in the caches. dequantize: the same, for each weight type of layout gguf.
      All figures are medians of --runs runs. Pin it to a core (taskset -c 1) for steady figures.
      """)

  @Option(help: "Instruction sets, separated by commas (all that this CPU runs).")
  var isas: String?
  @Option(help: "Positions in the cache.")
  var context = 8000
  @Option(help: "Tokens in prefill.")
  var tokens = 256
  @Option(help: "Elements of a key and of a value.")
  var dim = 128
  @Option(help: "Queries that share a head of the cache.")
  var group = 2
  @Option(help: "Size of the cache in decode, in MiB; several times the last-level cache.")
  var megabytes = 256
  @Option(help: "Runs of each measurement.")
  var runs = 5

  func validate() throws {
    guard context > 0, tokens > 0, dim > 0, dim % 32 == 0, group > 0, megabytes > 0, runs > 0 else {
      throw ValidationError("sizes are positive, and --dim is a multiple of 32")
    }
  }

  func run() throws {
    let tables = try chosenTables()
    print("attention, \(dim) elements, \(group) queries a head, \(context) positions")
    print(Row(["instructions", "cache", "decode GB/s", "reading GB/s", "share", "prefill GFLOP/s", "x naive"]))
    let cache = Cache(positions: context + tokens, dim: dim, byteCount: megabytes << 20)
    for table in tables {
      for kind in Cache.Kind.allCases {
        cache.fill(kind)
        let decode = cache.decode(kind, table, context: context, group: group, runs: runs)
        let prefill = cache.prefill(kind, table, context: context, tokens: tokens, group: group, runs: runs)
        print(
          Row([
            String(cString: table.name), kind.rawValue, Row.text(decode.bytes / decode.seconds / 1e9),
            Row.text(decode.bytes / decode.streamSeconds / 1e9),
            Row.text(100 * decode.streamSeconds / decode.seconds) + " %", Row.text(prefill.flops / prefill.seconds / 1e9),
            Row.text(prefill.flops / prefill.seconds / prefill.naiveFlops),
          ]))
      }
    }
    print("\noperations on 2048 elements, elements/ns")
    let operations = Operations(count: 2048)
    print(Row(["operation"] + tables.map { String(cString: $0.name) }))
    for (name, body) in operations.all {
      print(Row([name] + tables.map { table in Row.text(operations.rate(runs: runs) { body(table) }) }))
    }
    print("\ndequantize, 2048 elements, elements/ns")
    print(Row(["type"] + tables.map { String(cString: $0.name) }))
    for type in WeightType.allCases {
      print(Row([type.name] + tables.map { table in Row.text(operations.dequantizeRate(type, table, runs: runs)) }))
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

/// A line of a table, with the first column aligned left and the others right.
struct Row: CustomStringConvertible {
  let cells: [String]
  init(_ cells: [String]) { self.cells = cells }

  var description: String {
    cells.enumerated().map { index, cell in
      let gap = String(repeating: " ", count: max(1, 16 - cell.count))
      return index == 0 ? cell + gap : gap + cell
    }.joined()
  }

  static func text(_ value: Double) -> String { String(format: "%.\(value < 10 ? 2 : 1)f", value) }
}

/// Returns the seconds of this thread's processor time that `body` takes, which other load on the machine affects less.
func seconds(_ body: () -> Void) -> Double {
  func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
  let start = now()
  body()
  return now() - start
}

/// Returns the median.
func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
