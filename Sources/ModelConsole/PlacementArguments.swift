// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import PackFormat
import PackRuntime

/// The options for placing a pack's weights and threads.
package struct PlacementArguments: ParsableArguments {
  @Option(name: .shortAndLong, help: "Threads in all. (default: one for each core)")
  package var threads: Int?

  @Option(help: "The CPUs to use, such as 0-7,16-23.", transform: PlacementArguments.cpuList)
  package var cpus: [Int]?

  @Option(help: "Which node of the machine each node of the pack is on, such as 0=0,1=2.", transform: PlacementArguments.nodeMap)
  package var mapNodes: [Int: Int]?

  @Flag(help: "Let weights spill to other nodes where the right one is full.")
  package var spill = false

  package init() {}

  /// The options of the team plan.
  package var teamOptions: TeamPlan.Options { TeamPlan.Options(threads: threads, cpus: cpus, nodeMap: mapNodes) }

  /// Returns the teams for a pack.
  package func teamPlan(_ pack: Pack) throws -> TeamPlan {
    let isSharded = pack.manifest.placement == .shard
    return try TeamPlan(Topology.read(), nodeCount: isSharded ? pack.manifest.nodeCount : nil, options: teamOptions)
  }

  /// Returns the options for placing the weights, with a progress line unless `isQuiet`.
  ///
  /// - Parameter report: Also called with the bytes placed so far and the total.
  package func memoryOptions(
    _ kind: MemoryKind?, isQuiet: Bool = false, report: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) -> MemoryOptions {
    let progress = Progress("placing the weights", showsBytes: false, isQuiet: isQuiet)
    var options = MemoryOptions(kind: kind, spill: spill, nodeMap: mapNodes) { done, total in
      progress.show(done, of: total)
      report?(done, total)
    }
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
