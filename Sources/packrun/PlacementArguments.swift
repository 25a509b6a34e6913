// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import PackFormat
import PackRuntime

/// Where a pack's weights and threads go.
struct PlacementArguments: ParsableArguments {
  @Option(name: .shortAndLong, help: "Threads in all. (default: one for each core)")
  var threads: Int?

  @Option(help: "The CPUs to use, such as 0-7,16-23.", transform: PlacementArguments.cpuList)
  var cpus: [Int]?

  @Option(help: "Which node of the machine each node of the pack is on, such as 0=0,1=2.", transform: PlacementArguments.nodeMap)
  var mapNodes: [Int: Int]?

  @Flag(help: "Let weights spill to other nodes where the right one is full.")
  var spill = false

  /// What the threads are to be.
  var teamOptions: TeamPlan.Options { TeamPlan.Options(threads: threads, cpus: cpus, nodeMap: mapNodes) }

  /// The teams for a pack.
  func teamPlan(_ pack: Pack) throws -> TeamPlan {
    let isSharded = pack.manifest.placement == .shard
    return try TeamPlan(Topology.read(), nodeCount: isSharded ? pack.manifest.nodeCount : nil, options: teamOptions)
  }

  /// How the weights are to be placed; with a progress line unless it `isQuiet`.
  func memoryOptions(_ kind: MemoryKind?, isQuiet: Bool = false) -> MemoryOptions {
    let progress = Progress("placing the weights", showsBytes: false, isQuiet: isQuiet)
    var options = MemoryOptions(kind: kind, spill: spill, nodeMap: mapNodes) { done, total in progress.show(done, of: total) }
    options.isInterrupted = { Interrupt.isRequested }
    return options
  }

  private static func cpuList(_ text: String) throws -> [Int] {
    guard let cpus = NumberList.parse(text), !cpus.isEmpty else {
      throw ValidationError("write a list of CPUs, such as 0-3,8")
    }
    return cpus
  }

  private static func nodeMap(_ text: String) throws -> [Int: Int] {
    var map: [Int: Int] = [:]
    for pair in text.split(separator: ",", omittingEmptySubsequences: false) {
      let sides = pair.split(separator: "=", omittingEmptySubsequences: false)
      guard sides.count == 2, let pack = Int(sides[0]), let machine = Int(sides[1]), pack >= 0, machine >= 0,
        map.updateValue(machine, forKey: pack) == nil
      else {
        throw ValidationError("write PACK NODE=MACHINE NODE, each pack node once, such as 0=0,1=2")
      }
    }
    return map
  }
}

/// Where weights are held: by the best rung that this machine allows, or by a given one.
struct MemoryChoice: ExpressibleByArgument {
  static let auto = MemoryChoice(kind: nil)

  /// The rung; nil for the best.
  let kind: MemoryKind?

  private init(kind: MemoryKind?) { self.kind = kind }

  init?(argument: String) {
    kind = MemoryKind(rawValue: argument)
    if kind == nil, argument != "auto" { return nil }
  }

  var defaultValueDescription: String { kind?.rawValue ?? "auto" }

  static let allValueStrings = ["auto"] + MemoryKind.allCases.map(\.rawValue)
}
