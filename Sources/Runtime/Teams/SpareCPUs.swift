// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux

/// CPUs that this process may use and no thread of its teams is pinned to.
public struct SpareCPUs: Sendable, Hashable, CustomStringConvertible {
  /// Ascending. Of cores that no team uses, where there are any; otherwise the second threads of the teams' cores.
  public let cpus: [Int]

  /// Those that the teams of `plan` leave.
  public init(_ plan: TeamPlan, _ topology: Topology) {
    let used = Set(plan.teams.flatMap(\.cpus))
    let cores = topology.nodes.flatMap(\.cores)
    let free = cores.filter { used.isDisjoint(with: $0) }.flatMap { $0 }
    cpus = (free.isEmpty ? cores.flatMap { $0 }.filter { !used.contains($0) } : free).sorted()
  }

  /// Binds the calling thread to them, and all threads that it starts from now on, unless there are none.
  ///
  /// - Returns: Why the kernel refuses it, in one line; nil if it is done.
  public func bindThisThread() -> String? {
    guard !cpus.isEmpty else { return nil }
    let error = unsafe cl_bind_to_cpus(cpus.map { Int32($0) }, CInt(cpus.count))
    return error == 0 ? nil : "cannot use CPU \(NumberList.format(cpus)) alone: \(Kernel.text(error))"
  }

  /// As a list of CPUs is written, such as `8-15`.
  public var description: String { NumberList.format(cpus) }
}
