// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference
import PackFormat
import PackRuntime
import Synchronization

/// The models of a pack while it runs.
///
/// Usually one model is computed by all nodes together. If a mirrored pack runs several sequences, each node has its own model,
/// which computes its own sequences and does not wait for other nodes.
public final class ModelGroup {
  /// The models; at least one.
  public let models: [Model]
  /// One thread on each model's node, which asks the model for its steps; nil if there is one model.
  private let hosts: Teams?

  /// The number of sequences that are kept at the same time, in all models.
  public var sequenceCount: Int { models.reduce(0) { $0 + $1.sequenceCount } }

  /// Makes the models for weights that are in memory for `teams`.
  ///
  /// - Parameter options: The options of all models together; its sequences are divided among them.
  init(_ weights: MappedPack, teams: Teams, options: ModelOptions) throws(ModelError) {
    let metadata = weights.metadata
    let parts = Self.parts(weights.pack.manifest.placement, teams.plan, options)
    guard parts.count > 1 else {
      models = [try Model(metadata: metadata, weights: weights, teams: teams, options: options)]
      hosts = nil
      return
    }
    var models: [Model] = []
    do throws(RuntimeError) {
      let plan = parts.flatMap(\.teams.teams).map { TeamPlan.Team(node: $0.node, cpus: [$0.cpus[0]]) }
      hosts = try Teams(plan: TeamPlan(teams: plan))
    } catch { throw .runtime(error) }
    for part in parts {
      let alone: Teams
      do throws(RuntimeError) { alone = try Teams(plan: part.teams) } catch { throw .runtime(error) }
      models.append(try Model(metadata: metadata, weights: weights, replica: part.replica, teams: alone, options: part.options))
    }
    self.models = models
  }

  /// One model of the group.
  private struct Part {
    /// The index of the team that computes it alone, from its replica; nil: all teams compute it.
    var replica: Int?
    var teams: TeamPlan
    /// The options, with this model's own number of sequences.
    var options: ModelOptions
  }

  private static func parts(_ placement: PackManifest.Placement, _ plan: TeamPlan, _ options: ModelOptions) -> [Part] {
    let count = placement == .mirror ? min(plan.teams.count, options.sequenceCount) : 1
    guard count > 1 else { return [Part(replica: nil, teams: plan, options: options)] }
    return (0..<count).map { team in
      var own = options
      own.sequenceCount = options.sequenceCount * (team + 1) / count - options.sequenceCount * team / count
      return Part(replica: team, teams: TeamPlan(teams: [plan.teams[team]]), options: own)
    }
  }

  /// Returns, for each node, the bytes that the group's models will take in addition to the weights. The weights need not be in
  /// memory yet.
  ///
  /// - Throws: What would keep the models from being made, as far as that can be seen without the weights.
  static func byteCounts(
    _ pack: Pack, _ replicas: ReplicaPlan, teams: TeamPlan, options: ModelOptions
  ) throws(ModelError) -> [Int: Int] {
    // Addresses that are never read stand in for those of the weights.
    let nowhere = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
    defer { unsafe nowhere.deallocate() }
    let bases = unsafe replicas.replicas.map { _ in UnsafeRawPointer(nowhere) }
    var counts: [Int: Int] = [:]
    for part in parts(pack.manifest.placement, teams, options) {
      let plan = part.replica.map { replicas.alone($0) } ?? replicas
      let table = unsafe WeightTable(pack.manifest, plan: plan, teamCount: part.teams.teams.count, bases: bases)
      counts.merge(
        try Model.byteCounts(metadata: pack.metadata, table: table, teams: part.teams, options: part.options),
        uniquingKeysWith: +)
    }
    return counts
  }

  /// Runs `body` for each model at the same time, each on a thread of the model's node.
  ///
  /// - Parameter body: Must not use any model other than the one it gets.
  /// - Throws: The first error, after all have ended.
  public func forEachModel(_ body: (Model) throws(ModelError) -> Void) throws(ModelError) {
    guard let hosts else { return try body(models[0]) }
    let failure = Mutex<ModelError?>(nil)
    hosts.run { worker in
      do throws(ModelError) { try body(models[worker.team]) } catch {
        failure.withLock { if $0 == nil { $0 = error } }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }
}
