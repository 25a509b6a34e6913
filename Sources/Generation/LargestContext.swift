// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Inference
import PackFormat
import PackRuntime

extension ModelGroup {
  /// Returns an error that also names the longest context that fits, if memory is short but would suffice for a shorter context.
  /// Otherwise returns the error itself.
  ///
  /// - Complexity: O(log(context)) calculations of the models' sizes, each O(tensors).
  static func naming(
    largestContextFor error: RuntimeError, _ pack: Pack, _ replicas: ReplicaPlan, teams: TeamPlan, options: ModelOptions
  ) -> ModelError {
    let room: ([Int: Int]) -> Bool
    switch error {
    case .shortage(let nodes):
      room = { counts in nodes.allSatisfy { counts[$0.node] ?? 0 <= $0.activations - $0.missing } }
    case .memoryLimit(_, let needed, let free, let activations):
      room = { counts in counts.values.reduce(0, +) <= activations - (needed - free) }
    default: return .runtime(error)
    }
    func fits(_ contextLength: Int) -> Bool {
      var shorter = options
      shorter.contextLength = contextLength
      return (try? byteCounts(pack, replicas, teams: teams, options: shorter)).map(room) ?? false
    }
    // The cache consists of blocks of 16 positions. The length that a model was trained on is not known here.
    let most = options.contextLength == 0 ? 1 << 28 : options.contextLength ?? 4096
    var (low, high) = (0, (most - 1) / 16)
    while low < high {
      let middle = (low + high + 1) / 2
      if fits(16 * middle) { low = middle } else { high = middle - 1 }
    }
    return low == 0 ? .runtime(error) : .contextTooLong(error, largest: 16 * low)
  }
}
