// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import JSON
import TestSupport
import Testing

@testable import Doctor
@testable import PackRuntime

@Suite("What other processes see of a run")
struct ActivityTests {
  // MARK: The board

  /// Returns the bytes of a board of this process. There may be several boards, in any order, so each test uses its own description.
  private func bytes(of board: borrowing RunBoard, _ number: Int) throws -> [UInt8] {
    for file in try #require(WatchedProcess.names("/proc/self/fd")) {
      guard let text = TextFile.read("/proc/self/fdinfo/\(file)"), text.contains("pos:") else { continue }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = pread(Int32(file) ?? -1, &buffer, buffer.count, 0)
      guard count > 0, let read = RunBoard.read(Array(buffer.prefix(count))), read.description == Array("\(number)".utf8) else {
        continue
      }
      return Array(buffer.prefix(count))
    }
    Issue.record("there is no board")
    return []
  }

  @Test("A reader finds the description, and each lane's steps and tokens")
  func board() throws {
    let number = Int.random(in: 1_000_000...9_999_999)
    let board = try #require(RunBoard(laneCount: 2, description: Array("\(number)".utf8)))
    let counters = (0..<2).map { board.counter(ofLane: $0) }
    counters[0].add(tokens: 512, answered: 1)
    for _ in 0..<3 { counters[1].add(tokens: 4, answered: 4) }
    let read = try #require(RunBoard.read(try bytes(of: board, number)))
    #expect(read.lanes == [.init(steps: 1, tokens: 512, answered: 1), .init(steps: 3, tokens: 12, answered: 12)])
    #expect(read.description == Array("\(number)".utf8))
  }

  @Test("An incomplete board is not read as one")
  func damagedBoards() throws {
    let number = Int.random(in: 1_000_000...9_999_999)
    let board = try #require(RunBoard(laneCount: 1, description: Array("\(number)".utf8)))
    let whole = try bytes(of: board, number)
    for count in 0..<whole.count { #expect(RunBoard.read(Array(whole.prefix(count))) == nil) }
    for index in 0..<24 {
      for value: UInt8 in [0xFF, 0x80] {
        var bytes = whole
        bytes[index] = value
        #expect(RunBoard.read(bytes) == nil, "byte \(index)")
      }
    }
  }

  // MARK: What the kernel says

  @Test("A thread's line can be read whatever its name")
  func threads() throws {
    let fields = (4...52).map { field in
      switch field {
      case 14: "250"
      case 15: "50"
      case 39: "7"
      default: "1"
      }
    }
    let line = "812 (a) b (c 9) S \(fields.joined(separator: " "))"
    let thread = try #require(ProcessSample.Thread(line, ticksPerSecond: 100))
    #expect(thread.seconds == 3 && thread.cpu == 7)
    for bad in ["", "812 (a", "812 (a) S 1 2 3", "812 (a) S \(fields.map { _ in "x" }.joined(separator: " "))"] {
      #expect(ProcessSample.Thread(bad, ticksPerSecond: 100) == nil)
    }
  }

  private static let maps = """
    10000000 bind=static:0 anon=1024 dirty=1024 active=0 N0=768 N1=256 kernelpagesize_kB=4
    20000000 bind=static:1 file=/dev/hugepages/x huge dirty=2 N1=2 kernelpagesize_kB=2048
    30000000 default heap anon=9 dirty=9 N0=9 kernelpagesize_kB=4
    """

  @Test("Pages are counted by the node that they belong on, and those of other memory are left out")
  func pages() {
    let replicas = [
      WatchedProcess.Replica(node: 0, addresses: 0x1000_0000..<0x1040_0000),
      WatchedProcess.Replica(node: 1, addresses: 0x2000_0000..<0x2040_0000),
    ]
    #expect(ProcessPages(Self.maps, replicas).pages == [0: [0: 768, 1: 256], 1: [1: 1024]])
    #expect(ProcessPages(Self.maps, []).pages == [0: [0: 777], 1: [1: 1280]])
  }

  // MARK: Rates

  private func process(_ lanes: String, on machine: FakeMachine) throws -> WatchedProcess {
    try machine.write("proc/42/comm", "packrun")
    try machine.write("proc/42/fd/empty", "")
    var process = try WatchedProcess(42, root: machine.root)
    let description = """
      {"schemaVersion": 1, "pack": "/p", "memory": "anon", "lanes": \(lanes), "replicas": [
       {"file": "a", "node": 0, "start": 268435456, "byteCount": 4194304},
       {"file": "b", "node": 1, "start": 536870912, "byteCount": 4194304}]}
      """
    let isDescribed = process.describe(Array(description.utf8))
    #expect(isDescribed)
    return process
  }

  private func sample(_ start: ContinuousClock.Instant, after seconds: Double, _ cpu: [Int: Double], _ lanes: [RunBoard.Lane]?)
    throws -> ProcessSample
  {
    var threads: [Int: ProcessSample.Thread] = [:]
    for (number, used) in cpu {
      let fields = (4...52).map { $0 == 14 ? "\(Int(used * 100))" : $0 == 39 ? "\(number)" : "0" }
      let thread: ProcessSample.Thread = try #require(
        ProcessSample.Thread("1 (x) R \(fields.joined(separator: " "))", ticksPerSecond: 100))
      threads[number] = thread
    }
    return ProcessSample(time: start + .seconds(seconds), threads: threads, lanes: lanes)
  }

  @Test("A step of a divided model reads each node's part of the weights, and all nodes compute its tokens")
  func divided() throws {
    let machine = try FakeMachine.fourNodes()
    let lanes = """
      [[{"node": 0, "threads": 2, "weightByteCount": 3000000000}, {"node": 1, "threads": 2, "weightByteCount": 1000000000}]]
      """
    let process = try process(lanes, on: machine)
    let start = ContinuousClock.now
    // On this fake machine, CPUs 0, 1, 8 and 9 belong to node 0, and 2, 3, 10 and 11 to node 1.
    let first = try sample(start, after: 0, [0: 10, 1: 10, 2: 10], [.init(steps: 100, tokens: 1100, answered: 110)])
    let last = try sample(start, after: 2, [0: 12, 1: 11, 2: 10.5], [.init(steps: 120, tokens: 1620, answered: 130)])
    let activity = Activity(
      process, from: first, to: last, pages: ProcessPages(Self.maps, process.replicas),
      topology: Topology.read(root: machine.root, affinity: Array(0..<16)))
    #expect(activity.tokensPerSecond == 10 && activity.promptTokensPerSecond == 250)
    try #require(activity.nodes.map(\.id) == [0, 1])
    let (one, two) = (activity.nodes[0], activity.nodes[1])
    #expect(one.tokensPerSecond == 10 && two.tokensPerSecond == 10)
    #expect(one.gigabytesPerSecond == 30 && two.gigabytesPerSecond == 10)
    #expect(one.busyPercent == 75 && two.busyPercent == 12.5)
    #expect(one.localPercent == 75 && two.localPercent == 100)
    #expect(one.byteCount == 4 << 20 && two.byteCount == 4 << 20 && one.threads == 2)
  }

  @Test("Models that compute separately are counted separately")
  func mirrored() throws {
    let machine = try FakeMachine.fourNodes()
    let lanes = """
      [[{"node": 0, "threads": 1, "weightByteCount": 1000000000}], [{"node": 1, "threads": 1, "weightByteCount": 1000000000}]]
      """
    let process = try process(lanes, on: machine)
    let start = ContinuousClock.now
    let none = RunBoard.Lane(steps: 0, tokens: 0, answered: 0)
    let first = try sample(start, after: 0, [:], [none, none])
    let last = try sample(
      start, after: 1, [:], [.init(steps: 5, tokens: 5, answered: 5), .init(steps: 7, tokens: 14, answered: 14)])
    let activity = Activity(
      process, from: first, to: last, pages: nil, topology: Topology.read(root: machine.root, affinity: Array(0..<16)))
    #expect(activity.tokensPerSecond == 19 && activity.promptTokensPerSecond == 0)
    #expect(activity.nodes.map(\.tokensPerSecond) == [5, 14] && activity.nodes.map(\.gigabytesPerSecond) == [5, 7])
    #expect(activity.nodes.allSatisfy { $0.localPercent == nil && $0.byteCount == nil })
  }

  @Test("For a process that shows no run, only what the kernel knows is reported")
  func unknown() throws {
    let machine = try FakeMachine.fourNodes()
    try machine.write("proc/42/comm", "python3")
    try machine.write("proc/42/fd/empty", "")
    let process = try WatchedProcess(42, root: machine.root)
    let start = ContinuousClock.now
    let first = try sample(start, after: 0, [4: 1], nil)
    let last = try sample(start, after: 1, [4: 1.5, 5: 1], nil)
    let activity = Activity(
      process, from: first, to: last, pages: ProcessPages(Self.maps, []),
      topology: Topology.read(root: machine.root, affinity: Array(0..<16))
    )
    #expect(activity.tokensPerSecond == nil && activity.promptTokensPerSecond == nil)
    let node = try #require(activity.nodes.first { $0.id == 2 })
    #expect(node.threads == 2 && node.busyPercent == 75 && node.tokensPerSecond == nil && node.byteCount == nil)
    #expect(activity.nodes.first { $0.id == 1 }?.byteCount == 1280 * 4096)
  }

  @Test("A process that does not exist is reported as such")
  func missing() {
    #expect(throws: WatchedProcess.Problem.noProcess) { try WatchedProcess(42, root: "/nowhere") }
  }
}
