// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import TestSupport
import Testing

@testable import PackRuntime

@Suite("Topology")
struct TopologyTests {
  @Test(
    "Lists of numbers are read and written in the kernel's notation",
    arguments: [
      ("0", [0]), ("0-3", [0, 1, 2, 3]), ("0-1,4,6-7", [0, 1, 4, 6, 7]), ("", [Int]()),
    ])
  func numberLists(text: String, numbers: [Int]) {
    #expect(NumberList.parse(text) == numbers)
    #expect(NumberList.format(numbers) == (text.isEmpty ? "none" : text))
  }

  @Test("Text that is not a list of numbers is refused", arguments: ["a", "1-", "-1", "3-1", "1-2-3", "0-99999999999", "1 2"])
  func badLists(text: String) { #expect(NumberList.parse(text) == nil) }

  @Test("Four nodes are read with their cores, memory, huge pages and distances")
  func fourNodes() throws {
    let machine = try FakeMachine.fourNodes()
    let topology = Topology.read(root: machine.root, affinity: Array(0..<16))
    #expect(topology.hasNodeFolder)
    #expect(topology.nodes.map(\.id) == [0, 1, 2, 3])
    #expect(topology.nodes[1].cores == [[2, 10], [3, 11]])
    #expect(topology.nodes[1].freeMemory == 512 << 20)
    #expect(topology.nodes[3].hugePages.first?.free == 3)
    #expect(topology.nodes[2].distances == [0: 32, 1: 32, 2: 10, 3: 16])
  }

  @Test("CPUs that are offline or outside the affinity are left out")
  func affinity() throws {
    let machine = try FakeMachine.fourNodes()
    try machine.write("sys/devices/system/cpu/online", "0-14")
    let topology = Topology.read(root: machine.root, affinity: [0, 8, 6, 7, 15])
    #expect(topology.usableNodes.map(\.id) == [0, 3])
    #expect(topology.node(3)?.cpus == [6, 7])
    #expect(topology.offlineCPUs == [15])
  }

  @Test("CPUs of a node without memory belong to the nearest node that has some")
  func memorylessNode() throws {
    let machine = try FakeMachine.fourNodes()
    try machine.addNode(2, cpus: "4-5,12-13", mebibytes: 0, free: 0, distances: "32 32 10 16")
    let topology = Topology.read(root: machine.root, affinity: Array(0..<16))
    #expect(topology.usableNodes.map(\.id) == [0, 1, 3])
    #expect(topology.node(3)?.cpus == [4, 5, 6, 7, 12, 13, 14, 15])
  }

  @Test("A node outside the cpuset is not used")
  func cpuset() throws {
    let machine = try FakeMachine.fourNodes()
    try machine.write("proc/self/status", "Name:\tx\nMems_allowed_list:\t0,2-3")
    #expect(Topology.read(root: machine.root, affinity: Array(0..<16)).usableNodes.map(\.id) == [0, 2, 3])
  }

  @Test("A machine without a list of nodes has one node")
  func noNodeFolder() throws {
    let machine = FakeMachine()
    try machine.addCPUs(4)
    try machine.write("proc/meminfo", "MemTotal: 1048576 kB\nMemFree: 524288 kB")
    let topology = Topology.read(root: machine.root, affinity: [0, 1, 2, 3])
    #expect(!topology.hasNodeFolder)
    #expect(topology.usableNodes.map(\.id) == [0])
    #expect(topology.nodes[0].cpus == [0, 1, 2, 3])
    #expect(topology.nodes[0].memory == 1 << 30)
  }

  @Test("This machine has a usable node with the CPUs of this process")
  func thisMachine() {
    let topology = Topology.read()
    #expect(!topology.usableNodes.isEmpty)
    #expect(Set(topology.usableNodes.flatMap(\.cpus)).isSubset(of: Topology.currentAffinity()))
  }
}
