// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// The nodes of a mapped pack's pages as the kernel reports them, and how fast each team reads each node.
public struct PlacementReport: Sendable {
  /// The placement of one blob.
  public struct Blob: Sendable {
    /// The name of its file in the pack.
    public var file: String
    /// The node on which it should lie.
    public var node: Int
    /// The size of the blob in bytes.
    public var byteCount: Int
    /// The pages of 4 KiB on its node.
    public var localPages: Int
    /// The pages of 4 KiB on each other node, by node number.
    public var remotePages: [Int: Int]
    /// The pages of 4 KiB in no page table of this process.
    public var absentPages: Int
    /// The counts for equal parts of the blob, front to back; empty if the kernel reports only sums.
    public var parts: [PageMapPart]
    /// The share of the pages that lie on its node, in percent.
    public var localPercent: Double
    /// The bytes mapped by pages of 2 MiB.
    public var mappedBy2M: Int
    /// The bytes mapped by pages of 1 GiB. The rest of the blob is mapped by pages of 4 KiB.
    public var mappedBy1G: Int
    /// The page faults taken while it was loaded.
    public var faults: Int
    /// The seconds from the start of loading until its last byte was loaded.
    public var seconds: Double
    /// The loading rate in 10^9 bytes per second.
    public var gigabytesPerSecond: Double

    /// The share of the blob in pages of each size, largest first, in percent; empty if the blob has no pages.
    public var percentByPageSize: [(name: String, percent: Double)] {
      let all = (localPages + absentPages + remotePages.values.reduce(0, +)) * 4096
      guard all > 0 else { return [] }
      return [("1G", mappedBy1G), ("2M", mappedBy2M), ("4K", max(0, all - mappedBy1G - mappedBy2M))].map { name, byteCount in
        (name, min(100, 100 * Double(byteCount) / Double(all)))
      }
    }
  }

  /// The speed at which a team reads weights on a node.
  public struct Bandwidth: Sendable {
    /// The node of the team's threads.
    public var teamNode: Int
    /// The node of the memory.
    public var memoryNode: Int
    /// The number of threads that read.
    public var threads: Int
    /// The rate of the fastest of several reading loops over up to 256 MiB, in 10^9 bytes per second.
    public var gigabytesPerSecond: Double
  }

  /// The kind of memory that holds the weights.
  public var memory: String
  /// The reason why the pack's files are not mapped directly, if the program chose the kind of memory.
  public var reason: Note?
  /// The blobs.
  public var blobs: [Blob]
  /// The rate for each pair of a team and a node with weights.
  public var bandwidth: [Bandwidth]
  /// The shortcomings that could not be avoided.
  public var notes: [Note]
  /// Whether the counts come from /proc/self/numa_maps, because `move_pages` is refused.
  public var isFromNumaMaps: Bool

  /// The share of all pages that lie on their node, in percent; 100 if there are none.
  public var localPercent: Double {
    let local = blobs.reduce(0) { $0 + $1.localPages }
    let all = blobs.reduce(local) { $0 + $1.absentPages + $1.remotePages.values.reduce(0, +) }
    return all == 0 ? 100 : 100 * Double(local) / Double(all)
  }
}

extension MappedPack {
  /// Asks the kernel where every page is, and measures how fast each team reads each node's weights.
  ///
  /// - Parameter measuring: Whether to measure the bandwidth too, on the threads of `teams`.
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

  /// Measures how fast each team reads each node's weights. This takes some tenths of a second for each pair.
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
