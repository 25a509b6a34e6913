// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Files
import Glibc

/// Zeroed memory on one team's node, for its KV cache and scratch.
///
/// - Invariant: `base` points at `byteCount` readable and writable bytes, aligned to 64 or more, that live as long as this value.
package struct NodeMemory: ~Copyable {
  private let reservation: AddressReservation
  package let byteCount: Int
  /// The node that it is to lie on.
  package let node: Int
  private let kernel: Kernel

  /// The first byte.
  package var base: UnsafeMutableRawPointer { unsafe reservation.base }

  /// Allocates `byteCount` bytes where `team` runs, present at once: decoding takes no page fault in them.
  ///
  /// - Parameter spill: Whether other nodes may give what the team's has not.
  /// - Throws: `RuntimeError.shortage` if the node has too little free memory.
  package init(
    byteCount: Int, team: Int, teams: Teams, spill: Bool = false, kernel: Kernel = Kernel(),
    root: String = ""
  ) throws(RuntimeError) {
    reservation = try Self.allocate(byteCount, team, teams, spill, kernel, root)
    self.byteCount = byteCount
    self.kernel = kernel
    node = teams.plan.teams[team].node
  }

  /// Its addresses.
  var range: AddressRange { reservation.range }

  /// Where its pages are, as the kernel says.
  package func placement() -> NodeMemoryPlacement {
    let census = PageCensus.take(reservation.range, kernel: kernel)
    return NodeMemoryPlacement(
      node: node, byteCount: byteCount, localPages: census.pages[node] ?? 0,
      otherPages: census.pages(notOn: node) + census.absent)
  }

  /// What `byteCount` bytes take: whole huge pages, of less than one whole small ones.
  package static func wholePages(_ byteCount: Int) -> Int {
    let unit = pageByteCount(byteCount)
    return (max(byteCount, 1) + unit - 1) / unit * unit
  }

  private static func pageByteCount(_ byteCount: Int) -> Int { byteCount >= MappedBlob.hugePage ? MappedBlob.hugePage : 4096 }

  private static func allocate(
    _ byteCount: Int, _ team: Int, _ teams: Teams, _ spill: Bool, _ kernel: Kernel, _ root: String
  ) throws(RuntimeError) -> AddressReservation {
    let size = wholePages(byteCount)
    let unit = pageByteCount(byteCount)
    let node = teams.plan.teams[team].node
    try FreeMemory(root: root).check([:], and: [node: size], spill: spill, isSecondLook: true)
    let reservation = try AddressReservation(byteCount: size, alignment: unit, kernel: kernel)
    let range = reservation.range[0..<size]
    let error = unsafe kernel.map(range, protection: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS)
    guard error == 0 else { throw .system(operation: "map \(ByteCount(size))", reason: Kernel.text(error)) }
    if unit == MappedBlob.hugePage { _ = kernel.advise(range, CL_MADV_HUGEPAGE) }
    _ = kernel.bind(range, spill ? .preferred(node) : .bind(node))
    // By a thread of the team: where the binding is refused, the first touch decides.
    teams.run { worker in
      if worker.team == team, worker.index == 0, kernel.advise(range, CL_MADV_POPULATE_WRITE) != 0 {
        kernel.touch(range, writing: true)
      }
    }
    return reservation
  }
}

/// Where the kernel says that the memory of one node's KV cache and activations is.
public struct NodeMemoryPlacement: Sendable, Hashable {
  /// The node.
  public var node: Int
  /// Bytes of the KV cache and of activations.
  public var byteCount: Int
  /// Pages of 4 KiB on the node.
  public var localPages: Int
  /// Pages of 4 KiB on other nodes, or not in memory.
  public var otherPages: Int

  package mutating func add(_ other: NodeMemoryPlacement) {
    byteCount += other.byteCount
    localPages += other.localPages
    otherPages += other.otherPages
  }
}
