// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Files
import Glibc

/// Zeroed memory on one team's node, for its KV cache and activations.
///
/// - Invariant: `base` points to `byteCount` readable and writable bytes, aligned to at least 64, that live as long as this value.
package struct NodeMemory: ~Copyable {
  private let reservation: AddressReservation
  /// The requested size in bytes; the reservation may be larger.
  package let byteCount: Int
  /// The node on which it should lie.
  package let node: Int
  private let kernel: Kernel

  /// The first byte.
  package var base: UnsafeMutableRawPointer { unsafe reservation.base }

  /// Allocates `byteCount` bytes on the node of `team`. All pages are present at once, so decoding takes no page faults in them.
  ///
  /// - Parameter spill: Whether other nodes may provide what the team's node lacks.
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

  /// Asks the kernel on which nodes the pages lie.
  package func placement() -> NodeMemoryPlacement {
    let census = PageCensus.take(reservation.range, kernel: kernel)
    return NodeMemoryPlacement(
      node: node, byteCount: byteCount, localPages: census.pages[node] ?? 0,
      otherPages: census.pages(notOn: node) + census.absent)
  }

  /// Returns the bytes that an allocation of `byteCount` takes: whole huge pages, or whole small pages if it is less than one huge page.
  package static func wholePages(_ byteCount: Int) -> Int {
    max(byteCount, 1).roundedUp(toMultipleOf: pageByteCount(byteCount))
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
    // A thread of the team touches the pages, because the first touch decides if binding is refused.
    teams.run { worker in
      if worker.team == team, worker.index == 0, kernel.advise(range, CL_MADV_POPULATE_WRITE) != 0 {
        kernel.touch(range, writing: true)
      }
    }
    return reservation
  }
}

/// Where the kernel placed the memory of one node's KV cache and activations.
public struct NodeMemoryPlacement: Sendable, Hashable {
  /// The node.
  public var node: Int
  /// The bytes of the KV cache and of activations.
  public var byteCount: Int
  /// The pages of 4 KiB on the node.
  public var localPages: Int
  /// The pages of 4 KiB on other nodes or not in memory.
  public var otherPages: Int

  /// Adds the bytes and pages of another allocation on the same node.
  package mutating func add(_ other: NodeMemoryPlacement) {
    byteCount += other.byteCount
    localPages += other.localPages
    otherPages += other.otherPages
  }
}
