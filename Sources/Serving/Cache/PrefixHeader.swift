// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// Why a file of a prefix cannot be used.
package enum PrefixDefect: Error, Hashable, Sendable, CustomStringConvertible {
  /// Its content is not what was written.
  case damaged(String)
  /// The operating system cannot read it.
  case unreadable(FileError)

  /// The problem, as the end of a line that begins with the path.
  package var description: String {
    switch self {
    case .damaged(let text): text
    case .unreadable(let error): "\(error)"
    }
  }
}

/// The beginning of a file that keeps what a model has computed of a prompt; docs/SERVING.md describes its bytes.
package struct PrefixHeader: Hashable, Sendable {
  /// The bytes of one team.
  package struct Section: Hashable, Sendable {
    /// Its offset in the file: a multiple of 4096.
    package var offset: Int
    package var byteCount: Int
    package var digest: Digest

    package init(offset: Int, byteCount: Int, digest: Digest) {
      (self.offset, self.byteCount, self.digest) = (offset, byteCount, digest)
    }
  }

  /// The digest of the pack.
  package var pack: Digest
  /// The digest of the form of the copy (`Model.stateLayout`).
  package var layout: Digest
  package var tokens: [Int32]
  /// How many tokens each state has seen, ascending; empty for models without states.
  package var stateLengths: [Int]
  package var sections: [Section]

  package init(pack: Digest, layout: Digest, tokens: [Int32], stateLengths: [Int], sections: [Section] = []) {
    (self.pack, self.layout, self.tokens, self.stateLengths, self.sections) = (pack, layout, tokens, stateLengths, sections)
  }

  private static let magic = Array("PACKPFX1".utf8)
  /// Bytes before the tokens.
  private static let fixedByteCount = 136
  /// The unit of offsets and of the header's size, in bytes.
  package static let unit = 4096
  private static let sectionByteCount = 48
  /// A bound that is larger than any header for a context of 2^28 tokens.
  private static let largest = 2 << 30

  /// Bytes of the header, including padding.
  package var byteCount: Int {
    (Self.fixedByteCount + tokens.count * 4 + stateLengths.count * 8 + sections.count * Self.sectionByteCount)
      .roundedUp(toMultipleOf: Self.unit)
  }

  /// The name of the file, which depends on pack, layout and tokens.
  package var name: String {
    var bytes = Array((pack.hex + layout.hex).utf8)
    for token in tokens { bytes.append(UInt64(UInt32(bitPattern: token)), count: 4) }
    return Digest(of: bytes).hex + Self.suffix
  }

  /// The end of all names.
  package static let suffix = ".prefix"

  /// Whether a file has the name of a prefix, and so belongs to this cache.
  package static func isName(_ name: String) -> Bool {
    name.hasSuffix(suffix) && Digest(hex: String(name.dropLast(suffix.count))) != nil
  }

  // MARK: Writing

  /// The header as bytes.
  package var bytes: [UInt8] {
    var body: [UInt8] = []
    body.reserveCapacity(byteCount)
    body.append(UInt64(byteCount), count: 8)
    body += pack.hex.utf8
    body += layout.hex.utf8
    for count in [tokens.count, stateLengths.count, sections.count] { body.append(UInt64(count), count: 8) }
    for token in tokens { body.append(UInt64(UInt32(bitPattern: token)), count: 4) }
    for length in stateLengths { body.append(UInt64(length), count: 8) }
    for section in sections {
      body.append(UInt64(section.offset), count: 8)
      body.append(UInt64(section.byteCount), count: 8)
      body += section.digest.hex.utf8
    }
    body += [UInt8](repeating: 0, count: byteCount - 40 - body.count)
    return Self.magic + Array(Digest(of: body).hex.utf8) + body
  }

  // MARK: Reading

  /// Returns the size in bytes of the header of a file that begins with `start`.
  ///
  /// - Parameter start: The first 4096 bytes of the file, or all if it has fewer.
  package static func byteCount(_ start: [UInt8], fileByteCount: Int) throws(PrefixDefect) -> Int {
    guard start.starts(with: magic) else { throw PrefixDefect.damaged("it is not a file of this cache") }
    guard let count = start.integer(at: 40, count: 8), count >= fixedByteCount, count % unit == 0, count <= fileByteCount,
      count <= largest
    else { throw PrefixDefect.damaged("the size of its header is impossible") }
    return count
  }

  /// Reads a whole header.
  ///
  /// - Parameters:
  ///   - bytes: As many bytes as `byteCount(_:fileByteCount:)` returns.
  ///   - fileByteCount: The size of the file, which must contain all sections.
  package init(_ bytes: [UInt8], fileByteCount: Int) throws(PrefixDefect) {
    guard try Self.byteCount(bytes, fileByteCount: fileByteCount) == bytes.count,
      Self.digest(bytes, at: 8) == Digest(of: Array(bytes[40...]))
    else { throw PrefixDefect.damaged("its header is damaged") }
    let impossible = PrefixDefect.damaged("its header is impossible")
    guard let pack = Self.digest(bytes, at: 48), let layout = Self.digest(bytes, at: 80),
      let tokenCount = bytes.integer(at: 112, count: 8), let stateCount = bytes.integer(at: 120, count: 8),
      let sectionCount = bytes.integer(at: 128, count: 8),
      let end = Self.end(tokenCount, stateCount, sectionCount), end <= bytes.count
    else { throw impossible }
    var place = Self.fixedByteCount
    func next(_ count: Int) -> Int? {
      defer { place += count }
      return bytes.integer(at: place, count: count)
    }
    (self.pack, self.layout, tokens, stateLengths, sections) = (pack, layout, [], [], [])
    tokens.reserveCapacity(tokenCount)
    for _ in 0..<tokenCount { tokens.append(Int32(truncatingIfNeeded: next(4) ?? 0)) }
    for _ in 0..<stateCount {
      guard let length = next(8), length > stateLengths.last ?? 0, length <= tokenCount else { throw impossible }
      stateLengths.append(length)
    }
    guard tokenCount > 0, stateCount == 0 || stateLengths.last == tokenCount else { throw impossible }
    for _ in 0..<sectionCount {
      guard let offset = next(8), let count = next(8), let digest = Self.digest(bytes, at: place), offset >= bytes.count,
        offset % Self.unit == 0, let end = offset.adding(count), end <= fileByteCount
      else { throw impossible }
      place += 32
      sections.append(Section(offset: offset, byteCount: count, digest: digest))
    }
  }

  /// Returns where the table of sections ends; nil on overflow.
  private static func end(_ tokenCount: Int, _ stateCount: Int, _ sectionCount: Int) -> Int? {
    guard let tokens = tokenCount.multiplied(by: 4), let states = stateCount.multiplied(by: 8),
      let sections = sectionCount.multiplied(by: sectionByteCount)
    else { return nil }
    return fixedByteCount.adding(tokens)?.adding(states)?.adding(sections)
  }

  private static func digest(_ bytes: [UInt8], at offset: Int) -> Digest? {
    guard offset + 32 <= bytes.count else { return nil }
    return Digest(hex: String(decoding: bytes[offset..<offset + 32], as: UTF8.self))
  }
}
