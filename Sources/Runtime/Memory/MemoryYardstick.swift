// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Synchronization

/// How fast memory can be read at all: what the reading of weights is measured against.
public struct MemoryYardstick: Sendable, Hashable {
  /// 10^9 bytes per second of all teams together, each reading memory of its own node.
  public let gigabytesPerSecond: Double
  /// The reading loop that was the fastest.
  public let loop: String

  /// Has all teams read memory in huge pages on their nodes at the same time, by each loop that this CPU runs, and takes the fastest.
  ///
  /// The memory of each team is several times as large as the caches of its node, so what is measured is memory.
  ///
  /// - Throws: `RuntimeError.shortage` if a node has too little free memory for it.
  public init(_ teams: Teams) throws(RuntimeError) {
    let topology = Topology.read()
    let cache = topology.nodes.map { Self.cacheByteCount(of: $0) }.max() ?? 0
    let byteCount = max(Self.leastByteCount, 4 * cache)
    let memory = try Self.memory(byteCount, teams)
    (gigabytesPerSecond, loop) = Self.fastest { loop in
      Self.seconds(teams, loop) { team in memory[team].withMemory { $0 } }.map { Double(byteCount * teams.teamCount) / $0 / 1e9 }
        ?? 0
    }
  }

  /// How fast `team` reads `range`, which is mapped and readable; in 10^9 bytes per second.
  static func gigabytesPerSecond(of team: Int, _ teams: Teams, reading range: AddressRange) -> Double {
    fastest { loop in
      seconds(teams, loop) { $0 == team ? range : nil }.map { Double(range.count) / $0 / 1e9 } ?? 0
    }.gigabytesPerSecond
  }

  private static let leastByteCount = 256 << 20
  private static let passes = 3

  private static func fastest(_ rate: (_ loop: CInt) -> Double) -> (gigabytesPerSecond: Double, loop: String) {
    var best: (gigabytesPerSecond: Double, loop: CInt) = (0, 0)
    for loop in 0..<cl_reading_count() {
      for _ in 0..<passes {
        let rate = rate(loop)
        if rate > best.gigabytesPerSecond { best = (rate, loop) }
      }
    }
    return (best.gigabytesPerSecond, unsafe String(cString: cl_reading_name(best.loop)))
  }

  /// Seconds until the last thread has read its part; nil if that was too short to tell.
  private static func seconds(_ teams: Teams, _ loop: CInt, _ range: @Sendable (_ team: Int) -> AddressRange?) -> Double? {
    let nanoseconds = Atomic<UInt64>(0)
    teams.run { worker in
      let range = range(worker.team)
      worker.barrier()
      let start = Clock.nanoseconds
      if let range {
        let pages = range.count / 4096
        let part = range[pages * worker.index / worker.teamSize * 4096..<pages * (worker.index + 1) / worker.teamSize * 4096]
        // Mapped and readable, as the caller says; the loops read nothing outside.
        withExtendedLifetime(unsafe cl_reading_run(loop, part.pointer, part.count)) {}
        nanoseconds.max(Clock.nanoseconds - start, ordering: .relaxed)
      }
    }
    let taken = nanoseconds.load(ordering: .relaxed)
    return taken > 0 ? Double(taken) / 1e9 : nil
  }

  /// Memory for each team.
  private static func memory(_ byteCount: Int, _ teams: Teams) throws(RuntimeError) -> [Memory] {
    var memory: [Memory] = []
    for team in 0..<teams.teamCount { memory.append(Memory(try NodeMemory(byteCount: byteCount, team: team, teams: teams))) }
    return memory
  }

  private final class Memory: Sendable {
    private let memory: NodeMemory
    init(_ memory: consuming NodeMemory) { self.memory = memory }
    func withMemory<Result>(_ body: (AddressRange) -> Result) -> Result { body(memory.range) }
  }

  /// Bytes of the last-level caches of a node's CPUs.
  private static func cacheByteCount(of node: Topology.Node, root: String = "") -> Int {
    var sizes: [String: Int] = [:]
    for cpu in node.cpus {
      let folder = "\(root)/sys/devices/system/cpu/cpu\(cpu)/cache/index3"
      guard let sharers = TextFile.read(folder + "/shared_cpu_list"), let size = TextFile.read(folder + "/size"),
        size.hasSuffix("K"), let kibibytes = Int(size.dropLast())
      else { continue }
      sizes[sharers] = kibibytes << 10
    }
    return sizes.values.reduce(0, +)
  }
}
