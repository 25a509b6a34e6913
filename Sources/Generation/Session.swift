// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Inference
import PackFormat
import PackRuntime

/// The options for running a pack.
public struct SessionOptions: Sendable {
  /// Threads, CPUs and nodes.
  public var teams = TeamPlan.Options()
  /// The number of teams that share the first node's CPUs, for trying a pack of several nodes on a machine with one; nil: a team
  /// for each node.
  public var simulatedTeams: Int?
  /// Where the weights are placed.
  public var memory = MemoryOptions()
  /// Context, batch, sequences, instruction set.
  public var model = ModelOptions()

  /// Makes options with defaults that depend only on the pack and the machine.
  public init() {}
}

/// An open pack with its weights placed, its threads started and its model ready.
public final class Session {
  /// The pack.
  public let pack: Pack
  let options: SessionOptions
  /// The threads.
  public let teams: Teams
  /// The weights in memory.
  public let weights: MappedPack
  /// The models, ready to compute: one, unless the pack is mirrored and runs several sequences.
  public let group: ModelGroup
  /// The only model, or that of the first node.
  public var model: Model { group.models[0] }
  /// What `packrun top` reads, as long as this session lives; nil if the kernel refuses it.
  private var board: RunBoard?

  /// Opens the pack at `path`.
  ///
  /// - Throws: What prevents it. Errors of the pack are thrown before any thread is started.
  public convenience init(_ path: String, options: SessionOptions = SessionOptions()) throws(ModelError) {
    let pack: Pack
    do { pack = try Pack.open(path) } catch { throw .runtime(.pack(error)) }
    try self.init(pack, options: options)
  }

  /// Places the weights of an open pack, and starts its threads.
  public init(_ pack: Pack, options: SessionOptions = SessionOptions()) throws(ModelError) {
    self.pack = pack
    self.options = options
    var memory = options.memory
    memory.nodeMap = memory.nodeMap ?? options.teams.nodeMap
    let plan: TeamPlan
    let replicas: ReplicaPlan
    do {
      let isSharded = pack.manifest.placement == .shard
      plan = try Self.plan(nodeCount: isSharded ? pack.manifest.nodeCount : nil, options)
      replicas = try ReplicaPlan(pack.manifest, teams: plan, nodeMap: memory.nodeMap)
    } catch { throw .runtime(error) }
    // Any error in the model is thrown before its weights are read.
    memory.reserved = try ModelGroup.byteCounts(pack, replicas, teams: plan, options: options.model)
    do {
      teams = try Teams(plan: plan)
      weights = try MappedPack(pack, teams: teams, options: memory)
    } catch { throw ModelGroup.naming(largestContextFor: error, pack, replicas, teams: plan, options: options.model) }
    group = try ModelGroup(weights, teams: teams, options: options.model)
    board = RunBoard(laneCount: group.models.count, description: RunDescription(self).text)
    if let board { for (lane, model) in group.models.enumerated() { model.counter = board.counter(ofLane: lane) } }
  }

  private static func plan(nodeCount: Int?, _ options: SessionOptions) throws(RuntimeError) -> TeamPlan {
    guard let teams = options.simulatedTeams else {
      return try TeamPlan(Topology.read(), nodeCount: nodeCount, options: options.teams)
    }
    guard (1...64).contains(teams) else {
      throw .badOption(.teams, value: "\(teams)", problem: "between 1 and 64 can be simulated")
    }
    let whole = try TeamPlan(Topology.read(), nodeCount: 1, options: options.teams).teams[0]
    // All threads are divided among the teams, at least one each.
    return TeamPlan(
      teams: (0..<teams).map { team in
        let threads = max(1, whole.cpus.count * (team + 1) / teams - whole.cpus.count * team / teams)
        let first = whole.cpus.count * team / teams
        return TeamPlan.Team(node: whole.node, cpus: (0..<threads).map { whole.cpus[(first + $0) % whole.cpus.count] })
      })
  }

  /// What could not be arranged as requested, and what costs speed or quality.
  public var notes: [Note] {
    var notes = weights.notes
    if options.simulatedTeams == nil, teams.plan.isOversubscribed {
      let cpus = Set(teams.plan.teams.flatMap(\.cpus)).count
      notes.append(Note("\(teams.threadCount) threads share \(Count(cpus, "CPU")) and wait for each other", .threads(cpus)))
    }
    let trained = model.configuration.contextLength
    if model.contextLength > trained {
      notes.append(Note("a context of \(model.contextLength) tokens is more than the \(trained) that the model was trained on"))
    }
    return notes
  }
}
