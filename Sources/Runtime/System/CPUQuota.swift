// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// The CPU time that a cgroup, such as a container's, allows this process.
public struct CPUQuota: Hashable, Sendable {
  /// The path of the file that sets the quota.
  public var path: String
  /// The CPU time per unit of time: 1.5 stands for one and a half CPUs.
  public var cpus: Double

  /// The number of threads that can run at the same time without being throttled; a team waits for its slowest thread.
  public var threadCount: Int { max(1, Int(cpus)) }

  /// Reads the tightest quota of this process's cgroup and all above it; nil if there is none.
  static func read(root: String = "") -> CPUQuota? {
    ControlGroups.folders(of: "cpu", root: root).compactMap { version, folder in
      quota(version, folder, root)
    }.min { $0.cpus < $1.cpus }
  }

  private static func quota(_ version: ControlGroups.Version, _ folder: String, _ root: String) -> CPUQuota? {
    let file: String
    let numbers: [Int?]
    switch version {
    case .two:
      // Microseconds per period, then the period in microseconds. Without a quota the first is the word "max".
      file = folder + "/cpu.max"
      numbers = (TextFile.read(root + file) ?? "").split(separator: " ").map { Int($0) }
    case .one:
      file = folder + "/cpu.cfs_quota_us"
      numbers = [TextFile.integer(root + file), TextFile.integer("\(root)\(folder)/cpu.cfs_period_us")]
    }
    // In version 1, -1 means no quota.
    guard numbers.count == 2, let time = numbers[0], let period = numbers[1], time > 0, period > 0 else { return nil }
    return CPUQuota(path: file, cpus: Double(time) / Double(period))
  }
}

extension CPUQuota: CustomStringConvertible {
  /// For example `4 CPUs` or `1.5 CPUs`.
  public var description: String {
    let tenths = (cpus * 10).rounded()
    return tenths == 10 ? "1 CPU" : "\(Decimal(cpus, tenths.remainder(dividingBy: 10) == 0 ? 0 : 1)) CPUs"
  }
}
