// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import PackFormat
import PackRuntime

/// Where a pack's weights and threads go, for the commands that place it without running it.
struct PlacementArguments: ParsableArguments {
  @Option(name: .shortAndLong, help: "Threads in all; else one for each core.")
  var threads: Int?

  @Option(help: "The CPUs to use, such as 0-7,16-23.")
  var cpus: String?

  @Option(help: "Machine nodes by the pack's nodes, such as 0=0,1=2.")
  var mapNodes: String?

  @Flag(help: "Let weights lie on other nodes where the right one is full.")
  var spill = false

  func teamPlan(_ pack: Pack) throws -> TeamPlan {
    let options = TeamPlan.Options(
      threads: threads, cpus: try cpus.map { try TeamPlan.cpuList($0) }, nodeMap: try mapNodes.map { try TeamPlan.nodeMap($0) })
    let isSharded = pack.manifest.placement == .shard
    return try TeamPlan(Topology.read(), nodeCount: isSharded ? pack.manifest.nodeCount : nil, options: options)
  }

  func memoryOptions(_ kind: MemoryKind?) throws -> MemoryOptions {
    MemoryOptions(
      kind: kind, spill: spill, nodeMap: try mapNodes.map { try TeamPlan.nodeMap($0) }, progress: LoadProgress.listener())
  }
}
