// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Files
import Synchronization

/// The speed of reading memory, against which the reading of weights is measured.
public struct MemoryYardstick: Sendable, Hashable {
  /// The rate of all teams together, each reading memory of its own node, in 10^9 bytes per second.
  public let gigabytesPerSecond: Double
  /// The name of the fastest reading loop.
  public let loop: String

  /// Measures with all teams reading huge pages on their nodes at the same time. It tries each reading loop that this CPU supports and
  /// keeps the fastest.
  ///
  /// Each team's memory is at least four times as large as the last-level caches of its node, so the caches do not distort the result.
  ///
  /// - Throws: `RuntimeError.shortage` if a node has too little free memory for the measurement.
  public init(_ teams: Teams) throws(RuntimeError) {
    let topology = Topology.read()
    let cache = topology.nodes.map { Self.cacheByteCount(of: $0) }.max() ?? 0
    let byteCount = max(Self.leastByteCount, 4 * cache)
    let memory = try Self.memory(byteCount, teams)
    (gigabytesPerSecond, loop) = Self.fastest { loop in
      Self.seconds(teams, loop) { team in memory[team].value.range }.map { Double(byteCount * teams.teamCount) / $0 / 1e9 }
        ?? 0
    }
  }

  /// Returns how fast `team` reads `range`, which must be mapped and readable, in 10^9 bytes per second.
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

  /// Returns the seconds until the last thread has read its part; nil if the time was too short to measure.
  private static func seconds(_ teams: Teams, _ loop: CInt, _ range: @Sendable (_ team: Int) -> AddressRange?) -> Double? {
    let nanoseconds = Atomic<UInt64>(0)
    teams.run { worker in
      let range = range(worker.team)
      worker.barrier()
      let start = Clock.nanoseconds
      if let range {
        let pages = range.count / 4096
        let part = range[pages * worker.index / worker.teamSize * 4096..<pages * (worker.index + 1) / worker.teamSize * 4096]
        // The caller guarantees that the range is mapped and readable; the loops read nothing outside it.
        withExtendedLifetime(unsafe cl_reading_run(loop, part.pointer, part.count)) {}
        nanoseconds.max(Clock.nanoseconds - start, ordering: .relaxed)
      }
    }
    let taken = nanoseconds.load(ordering: .relaxed)
    return taken > 0 ? Double(taken) / 1e9 : nil
  }

  /// Allocates memory for each team.
  private static func memory(_ byteCount: Int, _ teams: Teams) throws(RuntimeError) -> [Shared<NodeMemory>] {
    var memory: [Shared<NodeMemory>] = []
    for team in 0..<teams.teamCount { memory.append(Shared(try NodeMemory(byteCount: byteCount, team: team, teams: teams))) }
    return memory
  }

  /// Returns the total size of the last-level caches of a node's CPUs in bytes.
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
