// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import CNuma
import Files
import Glibc

/// The system calls that map and place memory. Each returns 0 or an errno.
///
/// With `refuse`, a test can make single calls fail as they would in a container or on an old kernel.
package struct Kernel: Sendable {
  /// A call that can be refused.
  package enum Call: Hashable, Sendable {
    case map, advise(CInt), bind, setPolicy, movePages
  }

  /// Returns the errno with which a call fails, or nil to make the call; itself nil outside tests.
  package var refuse: (@Sendable (Call) -> CInt?)?

  /// The kernel's calls, except those for which `refuse` returns an errno.
  package init(refuse: (@Sendable (Call) -> CInt?)? = nil) { self.refuse = refuse }

  /// Returns the system's text for an errno.
  package static func text(_ error: CInt) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard unsafe strerror_r(error, &buffer, buffer.count) == 0 else { return "error \(error)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  // MARK: Policies

  /// The source of memory for a thread or a range.
  package enum Policy: Hashable, Sendable {
    /// The node of the CPU that touches the memory first.
    case standard
    /// Only the given node.
    case bind(Int)
    /// The given node while it has free memory, then others.
    case preferred(Int)

    fileprivate var mode: CInt {
      // MPOL_F_STATIC_NODES: the numbers mean the machine's nodes, whatever the cpuset.
      let isStatic: CInt = 1 << 15
      return switch self {
      case .standard: 0
      case .preferred: 1 | isStatic
      case .bind: 2 | isStatic
      }
    }

    fileprivate var nodes: [Int] {
      switch self {
      case .standard: []
      case .bind(let node), .preferred(let node): [node]
      }
    }
  }

  /// The number of bits in a node mask plus one, because the kernel counts it so. It refuses masks of 32769.
  private static let maskBits = 1025

  private static func mask(_ nodes: [Int]) -> [UInt] {
    var words = [UInt](repeating: 0, count: (maskBits - 1) / UInt.bitWidth)
    for node in nodes where node < maskBits - 1 { words[node / UInt.bitWidth] |= 1 << UInt(node % UInt.bitWidth) }
    return words
  }

  /// Sets the policy of the calling thread.
  package func setPolicy(_ policy: Policy) -> CInt {
    if let error = refuse?(.setPolicy) { return error }
    if policy == .standard { return set_mempolicy(0, nil, 0) == 0 ? 0 : errno }
    let mask = Self.mask(policy.nodes)
    return unsafe set_mempolicy(policy.mode, mask, UInt(Self.maskBits)) == 0 ? 0 : errno
  }

  /// Sets the policy of a range of memory. With `moving`, pages that only this process maps are also moved.
  package func bind(_ range: AddressRange, _ policy: Policy, moving: Bool = false) -> CInt {
    if let error = refuse?(.bind) { return error }
    let mask = Self.mask(policy.nodes)
    let flags: UInt32 = moving ? 2 : 0
    return unsafe mbind(range.pointer, UInt(range.count), policy.mode, mask, UInt(Self.maskBits), flags) == 0 ? 0 : errno
  }

  // MARK: Mappings

  /// Maps anonymous memory or a file over `range`.
  ///
  /// Whatever was mapped there is replaced, so `range` must lie in an `AddressReservation` that the caller keeps.
  @unsafe package func map(_ range: AddressRange, protection: CInt, flags: CInt, file: CInt = -1, offset: Int = 0) -> CInt {
    if let error = refuse?(.map) { return error }
    return unsafe mmap(range.pointer, range.count, protection, flags | MAP_FIXED, file, offset) == MAP_FAILED ? errno : 0
  }

  /// Advises the kernel about a range (`CL_MADV_…`), and repeats the call after a signal interrupts it.
  package func advise(_ range: AddressRange, _ advice: Int) -> CInt {
    let advice = CInt(advice)
    if let error = refuse?(.advise(advice)) { return error }
    while unsafe madvise(range.pointer, range.count, advice) != 0 {
      let error = errno
      guard error == EINTR || error == EAGAIN else { return error }
    }
    return 0
  }

  /// Changes the access rights of a range.
  package func protect(_ range: AddressRange, _ protection: CInt) -> CInt {
    unsafe mprotect(range.pointer, range.count, protection) == 0 ? 0 : errno
  }

  /// Touches each page of a mapped range so that it becomes present. With `writing`, each page gets memory of its own.
  package func touch(_ range: AddressRange, writing: Bool) { unsafe cl_touch(range.pointer, range.count, writing) }

  /// Returns, for each page of 4 KiB of a range, whether it is in memory or in the page cache; nil if the kernel does not say.
  package func residency(of range: AddressRange) -> [Bool]? {
    var pages = [UInt8](repeating: 0, count: range.count.pieceCount(of: 4096))
    return unsafe mincore(range.pointer, range.count, &pages) == 0 ? pages.map { $0 & 1 != 0 } : nil
  }

  /// Returns the node of the page at each address of `range` that is a multiple of `step` bytes from its start, according to the page
  /// tables.
  ///
  /// A negative value is the negated errno that says why the page has no node. The result is nil if the kernel refuses the query.
  package func nodes(of range: AddressRange, step: Int) -> [CInt]? {
    if refuse?(.movePages) != nil { return nil }
    var pages = unsafe stride(from: 0, to: range.count, by: step).map {
      unsafe UnsafeMutableRawPointer(bitPattern: range.start + UInt($0))
    }
    var status = [CInt](repeating: 0, count: unsafe pages.count)
    return unsafe move_pages(0, UInt(pages.count), &pages, nil, &status, 0) == 0 ? status : nil
  }
}
