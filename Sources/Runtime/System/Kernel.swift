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
    guard strerror_r(error, &buffer, buffer.count) == 0 else { return "error \(error)" }
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
    return set_mempolicy(policy.mode, mask, UInt(Self.maskBits)) == 0 ? 0 : errno
  }

  /// Sets the policy of a range of memory; `moving` also moves pages there that only this process maps.
  package func bind(_ range: UnsafeRawBufferPointer, _ policy: Policy, moving: Bool = false) -> CInt {
    if let error = refuse?(.bind) { return error }
    let mask = Self.mask(policy.nodes)
    let flags: UInt32 = moving ? 2 : 0
    let start = UnsafeMutableRawPointer(mutating: range.baseAddress)
    return mbind(start, UInt(range.count), policy.mode, mask, UInt(Self.maskBits), flags) == 0 ? 0 : errno
  }

  // MARK: Mappings

  /// Maps anonymous memory or a file over `range`, which the caller has reserved.
  package func map(_ range: UnsafeRawBufferPointer, protection: CInt, flags: CInt, file: CInt = -1, offset: Int = 0) -> CInt {
    if let error = refuse?(.map) { return error }
    let start = UnsafeMutableRawPointer(mutating: range.baseAddress)
    return mmap(start, range.count, protection, flags | MAP_FIXED, file, offset) == MAP_FAILED ? errno : 0
  }

  /// Advises the kernel about a range (`CL_MADV_…`), again where a signal interrupted it.
  package func advise(_ range: UnsafeRawBufferPointer, _ advice: Int) -> CInt {
    let advice = CInt(advice)
    if let error = refuse?(.advise(advice)) { return error }
    let start = UnsafeMutableRawPointer(mutating: range.baseAddress)
    while madvise(start, range.count, advice) != 0 {
      let error = errno
      guard error == EINTR || error == EAGAIN else { return error }
    }
    return 0
  }

  /// Changes what may be done with a range.
  package func protect(_ range: UnsafeRawBufferPointer, _ protection: CInt) -> CInt {
    let start = UnsafeMutableRawPointer(mutating: range.baseAddress)
    return mprotect(start, range.count, protection) == 0 ? 0 : errno
  }

  /// The node of each page (negative: the errno that says why it has none), as the kernel's page tables say.
  package func nodes(of pages: [UnsafeMutableRawPointer?], into status: inout [CInt]) -> CInt {
    if let error = refuse?(.movePages) { return error }
    var pages = pages
    return move_pages(0, UInt(pages.count), &pages, nil, &status, 0) == 0 ? 0 : errno
  }
}
