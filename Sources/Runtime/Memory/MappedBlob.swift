// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc
import Synchronization

/// A replica in memory, with the addresses that it owns and the statistics of filling it.
///
/// - Invariant: the blob's bytes lie at the beginning of the reservation, read-only once it is filled.
package final class MappedBlob: Sendable {
  package let replica: Replica
  /// The path of the file in the pack.
  package let path: String
  /// The unpacker of the blob; nil if the file is the content.
  package let compressed: CompressedContent?
  /// The file in memory that keeps this replica between runs; nil if there is none.
  package let pinnedPath: String?
  /// The page faults taken while it was filled.
  package let faults = Atomic<Int>(0)
  /// When its last piece came, in nanoseconds of the monotonic clock; 0: not yet.
  package let filledAt = Atomic<UInt64>(0)
  private let reservation: AddressReservation
  private let guardian = Mutex<FileGuard?>(nil)

  /// Reserves addresses for a replica; nothing is mapped there yet.
  package init(
    _ replica: Replica, path: String, compressed: CompressedContent? = nil, pinnedPath: String? = nil, alignment: Int,
    kernel: Kernel
  ) throws(RuntimeError) {
    self.replica = replica
    self.path = path
    self.compressed = compressed
    self.pinnedPath = pinnedPath
    reservation = try AddressReservation(
      byteCount: max(replica.byteCount, 1), alignment: max(alignment, Self.hugePage), kernel: kernel)
  }

  /// The size of a huge page in bytes, which everything here is a multiple of.
  package static let hugePage = 2 << 20

  /// The first byte. Valid as long as this object lives; readable once the blob is filled.
  package var base: UnsafeMutableRawPointer { unsafe reservation.base }

  /// Returns the addresses that are mapped: for a file, up to its last page; for memory, up to a whole huge page.
  package func mappedRange(_ kind: MemoryKind) -> AddressRange {
    let unit = kind == .file ? 4096 : Self.hugePage
    return reservation.range[0..<replica.byteCount.roundedUp(toMultipleOf: unit)]
  }

  /// All addresses of the reservation.
  package var reservedRange: AddressRange { reservation.range }

  /// Records that the file at `path` is mapped here, from its first byte.
  func isMapped(from path: String) {
    let range = reservedRange
    guardian.withLock { $0 = FileGuard(range, path: path) }
  }

  /// Unmaps the replica, and keeps its addresses reserved.
  package func clear() {
    guardian.withLock { $0 = nil }
    reservation.clear()
  }
}
