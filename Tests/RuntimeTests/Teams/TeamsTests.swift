// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import Synchronization
import Testing

@testable import PackRuntime

@Suite("Teams", .timeLimit(.minutes(5)))
struct TeamsTests {
  /// Returns teams on the CPUs of this machine, however many threads share one.
  private func teams(_ sizes: [Int]) throws -> Teams {
    let cpus = Topology.currentAffinity()
    return try Teams(
      plan: TeamPlan(
        teams: sizes.map { size in .init(node: Topology.read().nodes[0].id, cpus: (0..<size).map { cpus[$0 % cpus.count] }) }))
  }

  @Test("Every thread runs once, knows its place and is on its CPU", arguments: [[1], [2], [1, 1], [2, 3], [1, 2, 1]])
  func places(sizes: [Int]) throws {
    let teams = try teams(sizes)
    let seen = Mutex<[[Int]]>([])
    teams.run { worker in
      let place = [worker.team, worker.index, worker.teamSize, worker.thread, Topology.currentAffinity().count]
      seen.withLock { $0.append(place) }
    }
    var expected: [[Int]] = []
    for (team, size) in sizes.enumerated() {
      for index in 0..<size { expected.append([team, index, size, expected.count, 1]) }
    }
    #expect(seen.withLock { $0.sorted { $0[3] < $1[3] } } == expected)
    #expect(teams.threadCount == sizes.reduce(0, +))
    #expect(teams.pinRefusal == nil && teams.policyRefusal == nil)
  }

  @Test("No thread passes a barrier before all have arrived, however often", arguments: [[2], [4], [1, 1], [2, 2], [3, 1, 2]])
  func barriers(sizes: [Int]) throws {
    let teams = try teams(sizes)
    let rounds = 300
    let arrived = (0..<rounds).map { _ in Counter() }
    let early = Counter()
    teams.run { worker in
      for round in 0..<rounds {
        arrived[round].add()
        worker.barrier()
        if arrived[round].value != worker.threadCount { early.add() }
      }
    }
    #expect(early.value == 0)
  }

  @Test("A team's barrier waits only for that team")
  func teamBarriers() throws {
    let teams = try teams([2, 1])
    let order = Mutex<[Int]>([])
    let passed = Counter()
    teams.run { worker in
      if worker.team == 1 {
        // This thread arrives only after the other team has met several times.
        while passed.value < 20 { _ = sched_yield() }
        order.withLock { $0.append(1) }
      } else {
        for _ in 0..<10 {
          worker.teamBarrier()
          passed.add()
        }
      }
    }
    #expect(order.withLock { $0 } == [1])
  }

  @Test(
    "A team's threads take every item of shared work once, each time there is some",
    arguments: [[1], [2], [3], [1, 1], [2, 3]], [0, 1, 2, 7, 1000])
  func sharedWork(sizes: [Int], total: Int) throws {
    let teams = try teams(sizes)
    let rounds = 5
    let taken = Mutex<[Int]>(Array(repeating: 0, count: sizes.count * rounds * (total + 1)))
    teams.run { worker in
      for round in 0..<rounds {
        let place = (worker.team * rounds + round) * (total + 1)
        worker.forEachPart(of: total, .hidden, most: 3) { part in
          taken.withLock { for item in part { $0[place + item] += 1 } }
        }
        worker.barrier(after: .hidden)
        // The last entry of each round counts the items taken one by one.
        while worker.take(.output) < total { taken.withLock { $0[place + total] += 1 } }
        worker.barrier(after: .output)
      }
    }
    let expected = (0..<sizes.count * rounds).flatMap { _ in Array(repeating: 1, count: total) + [total] }
    #expect(taken.withLock { $0 } == expected)
  }

  @Test("A late thread leaves the unassigned half of the work to the others")
  func lateThread() throws {
    let teams = try teams([2])
    let counts = [Counter(), Counter()]
    teams.run { worker in
      worker.forEachPart(of: 64, .hidden) { part in
        for _ in part { counts[worker.index].add() }
        // The first thread returns only when the second has done all that it can.
        while worker.index == 0, counts[1].value < 48 { _ = sched_yield() }
      }
      worker.barrier(after: .hidden)
    }
    #expect(counts.map(\.value) == [16, 48])
  }

  @Test("Runs can follow one another, also after the threads have gone to sleep")
  func manyRuns() throws {
    let teams = try teams([2])
    let count = Counter()
    for run in 0..<200 {
      if run % 50 == 49 { usleep(5000) }
      teams.run { _ in count.add() }
    }
    #expect(count.value == 400)
  }

  @Test("Refused policies are reported, and the threads run all the same")
  func refusedPolicy() throws {
    let node = Topology.read().nodes[0].id
    let cpu = Topology.currentAffinity()[0]
    let teams = try Teams(
      plan: TeamPlan(teams: [.init(node: node, cpus: [cpu])]), kernel: Kernel { $0 == .setPolicy ? 1 : nil })
    #expect(teams.policyRefusal == "the kernel refuses memory policies of threads: Operation not permitted")
    let count = Counter()
    teams.run { _ in count.add() }
    #expect(count.value == 1)
  }

  @Test("A CPU that does not exist is reported")
  func badCPU() throws {
    let teams = try Teams(plan: TeamPlan(teams: [.init(node: Topology.read().nodes[0].id, cpus: [9999])]))
    #expect(teams.pinRefusal == "cannot pin threads to CPU 9999: Invalid argument")
  }
}

private final class Counter: Sendable {
  private let count = Atomic<Int>(0)
  func add() { count.add(1, ordering: .sequentiallyConsistent) }
  var value: Int { count.load(ordering: .sequentiallyConsistent) }
}
