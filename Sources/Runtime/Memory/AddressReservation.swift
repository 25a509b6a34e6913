// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Files
import Glibc

/// A range of addresses that this process owns: nothing else can be mapped there until it is released.
///
/// - Invariant: this value mapped `base ..< base + byteCount` and unmaps it at its end, whatever has been mapped over parts of it. `base`
///   is a multiple of the requested alignment.
@safe package struct AddressReservation: ~Copyable, @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  /// The size in bytes, a multiple of the alignment.
  package let byteCount: Int

  /// Reserves `byteCount` bytes (rounded up to whole units of `alignment`) that cannot be accessed yet.
  ///
  /// - Parameter alignment: A power of two, at least a page.
  /// - Throws: `RuntimeError.system` if the addresses are not available (ulimit -v, overcommit).
  package init(byteCount: Int, alignment: Int, kernel: Kernel = Kernel()) throws(RuntimeError) {
    let range = try unsafe Self.reserve(byteCount, alignment, kernel)
    unsafe base = range.base
    self.byteCount = unsafe range.byteCount
  }

  deinit { unsafe munmap(base, byteCount) }

  /// The whole reservation.
  package var range: AddressRange { unsafe AddressRange(start: unsafe base, count: byteCount) }

  /// Unmaps whatever was mapped here, and keeps the addresses reserved.
  package func clear() {
    _ = unsafe Kernel().map(range, protection: PROT_NONE, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
  }

  private static func reserve(
    _ byteCount: Int, _ alignment: Int, _ kernel: Kernel
  ) throws(RuntimeError) -> (base: UnsafeMutableRawPointer, byteCount: Int) {
    let operation = "reserve \(ByteCount(byteCount)) of addresses"
    let (padded, overflow) = byteCount.addingReportingOverflow(2 * alignment)
    guard byteCount >= 0, !overflow else { throw .system(operation: operation, reason: Kernel.text(ENOMEM)) }
    let size = max(alignment, (byteCount + alignment - 1) & ~(alignment - 1))
    if let error = kernel.refuse?(.map) { throw .system(operation: operation, reason: Kernel.text(error)) }
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let start = unsafe mmap(nil, padded, PROT_NONE, flags, -1, 0), unsafe start != MAP_FAILED else {
      throw .system(operation: operation, reason: Kernel.text(errno))
    }
    // Release what lies before the first aligned address and after the last byte. The rest stays reserved throughout.
    let skipped = (alignment - Int(bitPattern: start) % alignment) % alignment
    let base = unsafe start + skipped
    if skipped > 0 { unsafe munmap(start, skipped) }
    if padded - skipped > size { unsafe munmap(base + size, padded - skipped - size) }
    return unsafe (base, size)
  }
}
