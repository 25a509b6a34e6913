// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import TestSupport
import Testing

@testable import PackRuntime

@Suite("CPU quotas")
struct CPUQuotaTests {
  private func machine(_ files: [String: String]) throws -> FakeMachine {
    let machine = try FakeMachine.fourNodes()
    for (path, text) in files { try machine.write(path, text) }
    return machine
  }

  @Test(
    "The tightest quota of a cgroup and those above it applies, in both versions, also if /proc cannot be read",
    arguments: [
      (["sys/fs/cgroup/cpu.max": "150000 100000"], 1.5), (["sys/fs/cgroup/cpu.max": "max 100000"], nil),
      (["sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "50000"], 4),
      (["sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"], nil),
      (["sys/fs/cgroup/cpu.max": "", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "5"], nil),
      (
        [
          "proc/self/cgroup": "4:cpu,cpuacct:/x\n0::/a/b", "sys/fs/cgroup/a/cpu.max": "300000 100000",
          "sys/fs/cgroup/a/b/cpu.max": "max 100000", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "700000",
          "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000",
        ], 3
      ),
    ] as [([String: String], Double?)])
  func read(files: [String: String], cpus: Double?) throws {
    let machine = try machine(files)
    #expect(CPUQuota.read(root: machine.root)?.cpus == cpus)
  }

  @Test(
    "A quota limits the default number of threads, over all nodes, and a line says so",
    arguments: [
      ("100000 100000", [[0]]), ("250000 100000", [[0], [2]]), ("20000 100000", [[0]]),
      ("500000 100000", [[0, 1], [2], [4], [6]]),
    ])
  func threads(quota: String, cpus: [[Int]]) throws {
    let machine = try machine(["sys/fs/cgroup/cpu.max": quota])
    let plan = try TeamPlan(Topology.read(root: machine.root, affinity: Array(0..<16)))
    #expect(plan.teams.map(\.cpus) == cpus)
    let count = cpus.joined().count
    #expect(
      plan.quotaNote?.problem.hasSuffix(
        count == 1 ? "(/sys/fs/cgroup/cpu.max): 1 thread on 8 cores" : ": \(count) threads on 8 cores")
        == true)
  }

  @Test("Threads or CPUs that were requested are started, and a quota of more than all CPUs limits nothing")
  func asked() throws {
    let narrow = try machine(["sys/fs/cgroup/cpu.max": "100000 100000"])
    let topology = Topology.read(root: narrow.root, affinity: Array(0..<16))
    for options in [TeamPlan.Options(threads: 8), .init(cpus: Array(0..<8))] {
      let plan = try TeamPlan(topology, options: options)
      #expect(plan.threadCount == 8 && plan.quotaNote == nil)
    }
    let wide = try machine(["sys/fs/cgroup/cpu.max": "1600000 100000"])
    let plan = try TeamPlan(Topology.read(root: wide.root, affinity: Array(0..<16)))
    #expect(plan.threadCount == 8 && plan.quotaNote == nil)
  }
}
