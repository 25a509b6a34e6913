// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import TestSupport
import Testing

@testable import PackRuntime

@Suite("Available memory")
struct FreeMemoryTests {
  private static let mebibyte = 1 << 20

  /// Returns a node of 1 GiB with 20 MiB free, and more facts for its meminfo.
  private func node(_ extra: [String: Int]) throws -> (machine: FakeMachine, topology: Topology) {
    let machine = FakeMachine()
    try machine.write("sys/devices/system/node/online", "0")
    try machine.addNode(0, cpus: "0", mebibytes: 1024, free: 20, distances: "10", extra: extra)
    return (machine, Topology.read(root: machine.root, affinity: [0]))
  }

  @Test(
    "Page cache that is clean and not mapped counts as free; a tmpfs counts neither as page cache nor as mapped",
    arguments: [
      (["Active(file)": 100, "Inactive(file)": 300, "Mapped": 50, "Dirty": 30], 340),
      (["Active(file)": 100, "Inactive(file)": 300, "Mapped": 250, "Shmem": 250], 420),
      (["Active(file)": 0, "Inactive(file)": 10, "Writeback": 40], 20),
      ([String: Int](), 20),
    ])
  func reclaimable(meminfo: [String: Int], available: Int) throws {
    let node = try #require(node(meminfo).topology.node(0))
    #expect(FreeMemory.available(node) == available * Self.mebibyte)
  }

  @Test(
    "Page cache that has to stay is not available, and a node from which nothing is needed is not short")
  func kept() throws {
    let topology = try node(["Inactive(file)": 300]).topology
    let memory = FreeMemory(topology, limit: nil)
    try memory.check([0: 200 * Self.mebibyte])
    try memory.check([0: 0], keeping: [0: 300 * Self.mebibyte])
    let error = #expect(throws: RuntimeError.self) {
      try memory.check([0: 200 * Self.mebibyte], keeping: [0: 200 * Self.mebibyte])
    }
    #expect(
      error
        == .shortage([NodeShortage(node: 0, needed: 248 * Self.mebibyte, free: 120 * Self.mebibyte)]
        ))
  }

  @Test("Memory needed in addition to the weights counts, and is named separately")
  func activations() throws {
    let memory = FreeMemory(try node(["Inactive(file)": 300]).topology, limit: nil)
    let error = #expect(throws: RuntimeError.self) {
      try memory.check([0: 200 * Self.mebibyte], and: [0: 100 * Self.mebibyte])
    }
    #expect(
      error?.description.contains(
        "348.0 MiB needed, 100.0 MiB of it for the KV cache and activations") == true)
  }

  @Test(
    "If there is room for the weights alone, the remedy is a shorter context; otherwise it is another node, if one has enough room",
    arguments: [
      (100, 300, 900, true, false), (300, 100, 900, false, true), (500, 0, 900, false, true), (500, 0, 0, false, false),
      (500, 0, 300, false, false),
    ])
  func remedies(weights: Int, activations: Int, other: Int, isContext: Bool, isElsewhere: Bool) throws {
    let machine = try node(["Inactive(file)": 200]).machine
    if other > 0 {
      try machine.write("sys/devices/system/node/online", "0-1")
      try machine.addNode(1, cpus: "1", mebibytes: 1024, free: other, distances: "20 10")
    }
    let memory = FreeMemory(Topology.read(root: machine.root, affinity: [0, 1]), limit: nil)
    let error = try #require(throws: RuntimeError.self) {
      try memory.check([0: weights * Self.mebibyte], and: [0: activations * Self.mebibyte])
    }
    #expect(error.remedies.contains(.shorterContext) == isContext && error.remedies.contains(.mapNodes) == isElsewhere)
    #expect(error.remedies.contains(.spill) == isElsewhere && error.remedies.contains(.freeMemory))
  }

  @Test("A cgroup's limit is a shortage of its own kind")
  func limit() throws {
    let topology = try node(["Inactive(file)": 900]).topology
    let memory = FreeMemory(
      topology,
      limit: MemoryLimit(
        path: "/sys/fs/cgroup/box", bound: 200 * Self.mebibyte, unused: 70 * Self.mebibyte, reclaimable: 30 * Self.mebibyte))
    try memory.check([0: 80 * Self.mebibyte])
    let error = #expect(throws: RuntimeError.self) { try memory.check([0: 90 * Self.mebibyte]) }
    #expect(
      error?.description.hasPrefix(
        "the cgroup /sys/fs/cgroup/box leaves too little memory: 6.0 MiB short (106.0 MiB needed"
      )
        == true)
    // Of the 100 MiB, 20 are page cache that must stay.
    try memory.check([0: 60 * Self.mebibyte], keeping: [0: 20 * Self.mebibyte])
    #expect(
      throws: RuntimeError.memoryLimit(
        path: "/sys/fs/cgroup/box", needed: 96 * Self.mebibyte, free: 80 * Self.mebibyte)
    ) {
      try memory.check([0: 80 * Self.mebibyte], keeping: [0: 20 * Self.mebibyte])
    }
  }

  @Test(
    "The tightest limit of a cgroup and those above it applies, in both versions, also if only the root is visible"
  )
  func limits() throws {
    let machine = FakeMachine()
    #expect(MemoryLimit.read(root: machine.root) == nil)
    func write(_ folder: String, _ files: [String: String]) throws {
      for (name, text) in files { try machine.write("sys/fs/cgroup/\(folder)\(name)", text) }
    }
    try machine.write("proc/self/cgroup", "4:memory:/host/path\n3:cpuset:/\n0::/a/b")
    try write("a/b/", ["memory.max": "max", "memory.current": "5"])
    try write("memory/", ["memory.limit_in_bytes": "9223372036854771712", "memory.usage_in_bytes": "5"])
    #expect(MemoryLimit.read(root: machine.root) == nil)
    try write(
      "a/",
      [
        "memory.max": "1000", "memory.current": "400",
        "memory.stat": "anon 7\ninactive_file 100\nfile_dirty 30",
      ])
    #expect(
      MemoryLimit.read(root: machine.root)
        == MemoryLimit(path: "/sys/fs/cgroup/a", bound: 1000, unused: 600, reclaimable: 70))
    try write(
      "memory/",
      [
        "memory.limit_in_bytes": "500", "memory.usage_in_bytes": "450",
        "memory.stat": "total_active_file 20",
      ])
    #expect(
      MemoryLimit.read(root: machine.root)
        == MemoryLimit(path: "/sys/fs/cgroup/memory", bound: 500, unused: 50, reclaimable: 20))
  }
}
