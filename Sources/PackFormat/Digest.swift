// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CXXHash

/// An XXH3 digest of 128 bits.
///
/// It detects accidental damage, but not deliberate changes. Its text is the canonical form that `xxhsum -H2` prints: 32 hexadecimal
/// digits, most significant first.
public struct Digest: Sendable, Hashable {
  private let high: UInt64
  private let low: UInt64

  fileprivate init(_ hash: XXH128_hash_t) {
    high = hash.high64
    low = hash.low64
  }

  /// Computes the digest of `bytes`.
  ///
  /// - Complexity: O(bytes), close to the speed of memory.
  public init(of bytes: RawSpan) {
    self = unsafe bytes.withUnsafeBytes { unsafe Digest(XXH3_128bits($0.baseAddress, $0.count)) }
  }

  /// Computes the digest of `bytes`.
  public init(of bytes: [UInt8]) {
    self = unsafe Digest(of: bytes.span.bytes)
  }

  /// The digest that 32 hexadecimal digits denote; nil for any other text.
  public init?(hex: String) {
    guard hex.utf8.count == 32, hex.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
      let high = UInt64(hex.prefix(16), radix: 16), let low = UInt64(hex.suffix(16), radix: 16)
    else { return nil }
    self.high = high
    self.low = low
  }

  /// The 32 hexadecimal digits.
  public var hex: String { Self.digits(high) + Self.digits(low) }

  private static func digits(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 16 - text.utf8.count) + text
  }
}

/// A digest computed over bytes that arrive piece by piece.
///
/// - Invariant: `state` is a live XXH3 state, owned here and freed once.
@safe public struct DigestStream: ~Copyable {
  private let state: OpaquePointer

  /// A stream that has seen no bytes.
  ///
  /// - Throws: `PackError.noMemory` if the state of half a kilobyte cannot be allocated.
  public init() throws(PackError) {
    guard let state = unsafe XXH3_createState(), unsafe XXH3_128bits_reset(state) == XXH_OK else {
      throw .noMemory(purpose: "checksums")
    }
    unsafe self.state = state
  }

  deinit { unsafe XXH3_freeState(state) }

  /// Adds bytes.
  public mutating func update(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { _ = unsafe XXH3_128bits_update(state, $0.baseAddress, $0.count) }
  }

  /// The digest of all bytes so far.
  public var digest: Digest { unsafe Digest(XXH3_128bits_digest(state)) }
}
