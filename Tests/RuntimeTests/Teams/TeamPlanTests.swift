// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import TestSupport
import Testing

@testable import PackRuntime

@Suite("Team plans")
struct TeamPlanTests {
  private func plan(_ nodeCount: Int?, _ options: TeamPlan.Options = .init()) throws -> [TeamPlan.Team] {
    let machine = try FakeMachine.fourNodes()
    return try TeamPlan(Topology.read(root: machine.root, affinity: Array(0..<16)), nodeCount: nodeCount, options: options).teams
  }

  @Test("There is one thread for each physical core")
  func defaults() throws {
    #expect(try plan(nil) == (0..<4).map { TeamPlan.Team(node: $0, cpus: [2 * $0, 2 * $0 + 1]) })
  }

  @Test("A pack for fewer nodes does not use the last ones")
  func fewerNodes() throws { #expect(try plan(2).map(\.node) == [0, 1]) }

  @Test("Explicitly mapped nodes are the ones used")
  func mapped() throws {
    #expect(try plan(2, .init(nodeMap: [0: 1, 1: 3])).map(\.node) == [1, 3])
  }

  @Test(
    "Threads are divided over the nodes, first over cores, then over their second threads, then sharing CPUs",
    arguments: [
      (2, [[0], [2]]), (3, [[0, 1], [2]]), (6, [[0, 1, 8], [2, 3, 10]]), (9, [[0, 1, 8, 9, 0], [2, 3, 10, 11]]),
      (1, [[0]]),
    ])
  func threads(count: Int, cpus: [[Int]]) throws { #expect(try plan(2, .init(threads: count)).map(\.cpus) == cpus) }

  @Test("Each requested CPU gets a thread")
  func cpus() throws {
    #expect(try plan(nil, .init(cpus: [1, 9, 12])) == [.init(node: 0, cpus: [1, 9]), .init(node: 2, cpus: [12])])
  }

  @Test("CPUs and nodes that cannot be used are refused by name")
  func refused() throws {
    let cpus = #expect(throws: RuntimeError.self) { try plan(nil, .init(cpus: [1, 77])) }
    #expect(cpus?.description == "cpus 1,77: 77 cannot be used here; this process may use 0-15")
    let nodes = #expect(throws: RuntimeError.self) { try plan(2, .init(nodeMap: [0: 0, 1: 7])) }
    #expect(nodes?.description == "node map 0=0,1=7: node 7 cannot be used here; usable nodes: 0-3")
    #expect(throws: RuntimeError.self) { try plan(2, .init(threads: 0)) }
    let threads = #expect(throws: RuntimeError.self) { try plan(2, .init(threads: 1, nodeMap: [0: 0, 1: 1])) }
    #expect(threads?.description == "threads 1: the node map names 2 nodes, and each needs a thread")
  }
}
