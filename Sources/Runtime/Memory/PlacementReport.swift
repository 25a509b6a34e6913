// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// Where a mapped pack's pages are, by the kernel's own counts, and how fast each team reads each node.
public struct PlacementReport: Sendable {
  /// A blob in memory.
  public struct Blob: Sendable {
    /// Its file in the pack.
    public var file: String
    /// The node it is to lie on.
    public var node: Int
    /// Bytes of the blob.
    public var byteCount: Int
    /// Pages of 4 KiB on its node.
    public var localPages: Int
    /// Pages of 4 KiB on each other node, by its number.
    public var remotePages: [Int: Int]
    /// Pages of 4 KiB in no page table of this process.
    public var absentPages: Int
    /// The same of equal parts of the blob, front to back; empty if the kernel tells only sums.
    public var parts: [PageMapPart]
    /// The part of the pages that lie on its node, in percent.
    public var localPercent: Double
    /// Bytes mapped by pages of 2 MiB.
    public var mappedBy2M: Int
    /// Bytes mapped by pages of 1 GiB; what is left of the blob is mapped by pages of 4 KiB.
    public var mappedBy1G: Int
    /// Page faults taken while it was brought in.
    public var faults: Int
    /// Seconds until its last byte was there.
    public var seconds: Double
    /// 10^9 bytes of it per second.
    public var gigabytesPerSecond: Double

    /// How much of the blob has pages of each size, the largest first, in percent; empty if it has none.
    public var percentByPageSize: [(name: String, percent: Double)] {
      let all = (localPages + absentPages + remotePages.values.reduce(0, +)) * 4096
      guard all > 0 else { return [] }
      return [("1G", mappedBy1G), ("2M", mappedBy2M), ("4K", max(0, all - mappedBy1G - mappedBy2M))].map { name, byteCount in
        (name, min(100, 100 * Double(byteCount) / Double(all)))
      }
    }
  }

  /// How fast a team reads weights on a node.
  public struct Bandwidth: Sendable {
    /// The node of the team's threads.
    public var teamNode: Int
    /// The node of the memory.
    public var memoryNode: Int
    /// How many threads read.
    public var threads: Int
    /// 10^9 bytes per second, by the fastest of several reading loops, of up to 256 MiB.
    public var gigabytesPerSecond: Double
  }

  /// How the weights are held.
  public var memory: String
  /// Why the pack's files are not mapped as they are, if that was left to the program.
  public var reason: Note?
  /// The blobs.
  public var blobs: [Blob]
  /// All teams times all nodes with weights.
  public var bandwidth: [Bandwidth]
  /// What could not be arranged.
  public var notes: [Note]
  /// Whether the counts are those of /proc/self/numa_maps, because move_pages is refused.
  public var isFromNumaMaps: Bool

  /// The part of all pages that lie on their node, in percent; 100 if there are none.
  public var localPercent: Double {
    let local = blobs.reduce(0) { $0 + $1.localPages }
    let all = blobs.reduce(local) { $0 + $1.absentPages + $1.remotePages.values.reduce(0, +) }
    return all == 0 ? 100 : 100 * Double(local) / Double(all)
  }
}

extension MappedPack {
  /// Asks the kernel where every page is and measures how fast each team reads each node's weights.
  ///
  /// - Parameter measuring: Whether the bandwidth is measured too; the threads of `teams` do it.
  public func placementReport(_ teams: Teams, measuring: Bool = true) -> PlacementReport {
    let censuses = blobs.map { PageCensus.take($0.mappedRange(kind), kernel: kernel) }
    let described = zip(blobs, censuses).map { describe($0, $1) }
    return PlacementReport(
      memory: kind.rawValue, reason: reason, blobs: described, bandwidth: measuring ? measuredBandwidth(teams) : [], notes: notes,
      isFromNumaMaps: censuses.contains(where: \.isFromMaps))
  }

  private func describe(_ blob: MappedBlob, _ census: PageCensus) -> PlacementReport.Blob {
    let node = blob.replica.node
    let local = census.pages[node] ?? 0
    let remote = census.pages.filter { $0.key != node }
    let all = local + census.absent + remote.values.reduce(0, +)
    let end = blob.filledAt.load(ordering: .relaxed)
    let seconds = end > startedAt ? Double(end - startedAt) / 1e9 : 0
    return PlacementReport.Blob(
      file: pack.manifest.blobs[blob.replica.blob].file, node: node, byteCount: blob.replica.byteCount, localPages: local,
      remotePages: remote, absentPages: census.absent, parts: census.parts,
      localPercent: all == 0 ? 100 : 100 * Double(local) / Double(all),
      mappedBy2M: census.hugeByteCount, mappedBy1G: census.giganticByteCount, faults: blob.faults.load(ordering: .relaxed),
      seconds: seconds, gigabytesPerSecond: seconds > 0 ? Double(blob.replica.byteCount) / seconds / 1e9 : 0)
  }

  private static let measuredByteCount = 256 << 20

  /// Measures how fast each team reads each node's weights, which takes some tenths of a second for each pair.
  public func measuredBandwidth(_ teams: Teams) -> [PlacementReport.Bandwidth] {
    var largest: [Int: MappedBlob] = [:]
    for blob in blobs where blob.replica.byteCount > largest[blob.replica.node]?.replica.byteCount ?? 0 {
      largest[blob.replica.node] = blob
    }
    var results: [PlacementReport.Bandwidth] = []
    for team in 0..<teams.teamCount {
      for (node, blob) in largest.sorted(by: { $0.key < $1.key }) {
        let range = blob.mappedRange(kind)[0..<min(blob.replica.byteCount, Self.measuredByteCount) / 4096 * 4096]
        let rate = MemoryYardstick.gigabytesPerSecond(of: team, teams, reading: range)
        results.append(
          .init(teamNode: teams.plan.teams[team].node, memoryNode: node, threads: teams.size(of: team), gigabytesPerSecond: rate))
      }
    }
    return results
  }
}
