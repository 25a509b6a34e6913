// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import CNuma
import Glibc

/// The system calls by which memory is mapped and placed. Each returns 0 or an errno.
///
/// A test can have single calls refused, as a container or an old kernel would, by giving `refuse`.
package struct Kernel: Sendable {
  /// A call that can be refused.
  package enum Call: Hashable, Sendable {
    case map, advise(CInt), bind, setPolicy, movePages
  }

  /// The errno with which a call is to fail; nil to make the call.
  package var refuse: (@Sendable (Call) -> CInt?)?

  package init(refuse: (@Sendable (Call) -> CInt?)? = nil) { self.refuse = refuse }

  /// The system's text for an errno.
  package static func text(_ error: CInt) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard unsafe strerror_r(error, &buffer, buffer.count) == 0 else { return "error \(error)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  // MARK: Policies

  /// Where memory is to come from.
  package enum Policy: Hashable, Sendable {
    /// From the node of the CPU that touches it first.
    case standard
    /// From that node and no other.
    case bind(Int)
    /// From that node while it has any.
    case preferred(Int)

    fileprivate var mode: CInt {
      // Static: the numbers mean this machine's nodes whatever the cpuset.
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

  /// One more than the nodes that a mask names: the kernel counts so. It refuses masks of 32769.
  private static let maskBits = 1025

  private static func mask(_ nodes: [Int]) -> [UInt] {
    var words = [UInt](repeating: 0, count: (maskBits - 1) / UInt.bitWidth)
    for node in nodes where node < maskBits - 1 { words[node / UInt.bitWidth] |= 1 << UInt(node % UInt.bitWidth) }
    return words
  }

  /// Sets the calling thread's policy.
  package func setPolicy(_ policy: Policy) -> CInt {
    if let error = refuse?(.setPolicy) { return error }
    if policy == .standard { return set_mempolicy(0, nil, 0) == 0 ? 0 : errno }
    let mask = Self.mask(policy.nodes)
    return unsafe set_mempolicy(policy.mode, mask, UInt(Self.maskBits)) == 0 ? 0 : errno
  }

  /// Sets the policy of a range of memory; `moving` also moves pages there that only this process maps.
  package func bind(_ range: AddressRange, _ policy: Policy, moving: Bool = false) -> CInt {
    if let error = refuse?(.bind) { return error }
    let mask = Self.mask(policy.nodes)
    let flags: UInt32 = moving ? 2 : 0
    return unsafe mbind(range.pointer, UInt(range.count), policy.mode, mask, UInt(Self.maskBits), flags) == 0 ? 0 : errno
  }

  // MARK: Mappings

  /// Maps anonymous memory or a file over `range`.
  ///
  /// What was there is gone: `range` must lie in an `AddressReservation` that the caller keeps.
  @unsafe package func map(_ range: AddressRange, protection: CInt, flags: CInt, file: CInt = -1, offset: Int = 0) -> CInt {
    if let error = refuse?(.map) { return error }
    return unsafe mmap(range.pointer, range.count, protection, flags | MAP_FIXED, file, offset) == MAP_FAILED ? errno : 0
  }

  /// Advises the kernel about a range (`CL_MADV_…`), again where a signal interrupted it.
  package func advise(_ range: AddressRange, _ advice: Int) -> CInt {
    let advice = CInt(advice)
    if let error = refuse?(.advise(advice)) { return error }
    while unsafe madvise(range.pointer, range.count, advice) != 0 {
      let error = errno
      guard error == EINTR || error == EAGAIN else { return error }
    }
    return 0
  }

  /// Changes what may be done with a range.
  package func protect(_ range: AddressRange, _ protection: CInt) -> CInt {
    unsafe mprotect(range.pointer, range.count, protection) == 0 ? 0 : errno
  }

  /// Touches each page of a range that is mapped, so that it is there; `writing` gives it memory of its own.
  package func touch(_ range: AddressRange, writing: Bool) { unsafe cl_touch(range.pointer, range.count, writing) }

  /// Which pages of 4 KiB of a range the page cache or memory holds; nil if the kernel does not say.
  package func residency(of range: AddressRange) -> [Bool]? {
    var pages = [UInt8](repeating: 0, count: (range.count + 4095) / 4096)
    return unsafe mincore(range.pointer, range.count, &pages) == 0 ? pages.map { $0 & 1 != 0 } : nil
  }

  /// The node of the page at each address of `range` that is a multiple of `step` bytes from its start (negative: the errno that
  /// says why it has none), as the kernel's page tables say; nil if that is refused.
  package func nodes(of range: AddressRange, step: Int) -> [CInt]? {
    if refuse?(.movePages) != nil { return nil }
    var pages = unsafe stride(from: 0, to: range.count, by: step).map {
      unsafe UnsafeMutableRawPointer(bitPattern: range.start + UInt($0))
    }
    var status = [CInt](repeating: 0, count: unsafe pages.count)
    return unsafe move_pages(0, UInt(pages.count), &pages, nil, &status, 0) == 0 ? status : nil
  }
}
