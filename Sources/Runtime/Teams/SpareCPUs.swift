// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux

/// The CPUs that this process may use and to which no thread of its teams is pinned.
public struct SpareCPUs: Sendable, Hashable, CustomStringConvertible {
  /// The CPUs in ascending order: those of cores that no team uses if there are any, otherwise the second threads of the teams' cores.
  public let cpus: [Int]

  /// The CPUs that the teams of `plan` leave free.
  public init(_ plan: TeamPlan, _ topology: Topology) {
    let used = Set(plan.teams.flatMap(\.cpus))
    let cores = topology.nodes.flatMap(\.cores)
    let free = cores.filter { used.isDisjoint(with: $0) }.flatMap { $0 }
    cpus = (free.isEmpty ? cores.flatMap { $0 }.filter { !used.contains($0) } : free).sorted()
  }

  /// Binds the calling thread, and all threads that it starts from now on, to these CPUs. Does nothing if there are none.
  ///
  /// - Returns: The reason why the kernel refuses it, on one line; nil on success.
  public func bindThisThread() -> String? {
    guard !cpus.isEmpty else { return nil }
    let error = unsafe cl_bind_to_cpus(cpus.map { Int32($0) }, CInt(cpus.count))
    return error == 0 ? nil : "cannot use CPU \(NumberList.format(cpus)) alone: \(Kernel.text(error))"
  }

  /// The CPUs as a list, such as `8-15`.
  public var description: String { NumberList.format(cpus) }
}
