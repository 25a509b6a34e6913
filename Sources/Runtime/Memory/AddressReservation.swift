// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc

/// A range of addresses that this process owns: nothing else can be mapped there until it is given back.
///
/// - Invariant: `base ..< base + byteCount` was mapped by this value and is unmapped, whatever was mapped over parts of it, when
///   it ends. `base` is a multiple of the alignment asked for.
package struct AddressReservation: ~Copyable, @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int

  /// Reserves `byteCount` bytes (rounded up to whole units of `alignment`) that cannot be accessed yet.
  ///
  /// - Parameter alignment: A power of two, at least a page.
  /// - Throws: `RuntimeError.system` if the addresses are not to be had (ulimit -v, overcommit).
  package init(byteCount: Int, alignment: Int, kernel: Kernel = Kernel()) throws(RuntimeError) {
    let range = try Self.reserve(byteCount, alignment, kernel)
    base = range.base
    self.byteCount = range.byteCount
  }

  deinit { munmap(base, byteCount) }

  /// A part of the range.
  package func bytes(_ part: Range<Int>) -> UnsafeRawBufferPointer {
    precondition(part.lowerBound >= 0 && part.upperBound <= byteCount)
    return UnsafeRawBufferPointer(start: base + part.lowerBound, count: part.count)
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
    guard let start = mmap(nil, padded, PROT_NONE, flags, -1, 0), start != MAP_FAILED else {
      throw .system(operation: operation, reason: Kernel.text(errno))
    }
    // Give back what lies in front of the first multiple and behind the last byte; the rest stays ours throughout.
    let skipped = (alignment - Int(bitPattern: start) % alignment) % alignment
    let base = start + skipped
    if skipped > 0 { munmap(start, skipped) }
    if padded - skipped > size { munmap(base + size, padded - skipped - size) }
    return (base, size)
  }
}
