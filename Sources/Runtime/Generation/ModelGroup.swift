import Synchronization

/// The model of a pack as it runs: one that all nodes compute together, or, where a mirror has several sequences to run, one for
/// each node, which computes its own sequences by itself and waits for no other node.
public final class ModelGroup {
  /// At least one.
  public let models: [Model]
  /// A thread on each model's node, which asks the model for its steps; nil where there is one model.
  private let hosts: Teams?

  /// Sequences that are kept at the same time, in all models.
  public var sequenceCount: Int { models.reduce(0) { $0 + $1.sequenceCount } }

  /// Makes the model, or the models, of weights that lie in memory for `teams`.
  ///
  /// - Parameter options: Their sequences are divided over the models.
  init(_ weights: MappedPack, teams: Teams, options: ModelOptions) throws(ModelError) {
    let metadata = weights.metadata
    let count = weights.pack.manifest.placement == .mirror ? min(teams.teamCount, options.sequenceCount) : 1
    guard count > 1 else {
      models = [try Model(metadata: metadata, weights: weights, teams: teams, options: options)]
      hosts = nil
      return
    }
    var models: [Model] = []
    do throws(RuntimeError) {
      hosts = try Teams(plan: TeamPlan(teams: teams.plan.teams.prefix(count).map { .init(node: $0.node, cpus: [$0.cpus[0]]) }))
    } catch { throw .runtime(error) }
    for team in 0..<count {
      var own = options
      own.sequenceCount = options.sequenceCount * (team + 1) / count - options.sequenceCount * team / count
      let alone: Teams
      do throws(RuntimeError) { alone = try Teams(plan: TeamPlan(teams: [teams.plan.teams[team]])) } catch { throw .runtime(error) }
      models.append(try Model(metadata: metadata, weights: weights, replica: team, teams: alone, options: own))
    }
    self.models = models
  }

  /// Runs `body` for each model, all at the same time, each on a thread of its model's node.
  ///
  /// - Parameter body: Must not use another model than the one it is given.
  /// - Throws: The first error, when all have ended.
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
