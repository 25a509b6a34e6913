// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat
import Serving
import TestSupport
import Testing

@Suite("Hostile files of prefixes")
struct PrefixFuzzTests {
  private static func header(_ random: inout SplitMix64) -> PrefixHeader {
    let count = 1 + random.next(below: 1500)
    var header = PrefixHeader(
      pack: Digest(of: [1]), layout: Digest(of: [2]), tokens: (0..<count).map { _ in Int32(truncatingIfNeeded: random.next()) },
      stateLengths: random.next(below: 2) == 0 ? [] : [count])
    if !header.stateLengths.isEmpty, count > 9 { header.stateLengths.insert(9, at: 0) }
    let none = PrefixHeader.Section(offset: 0, byteCount: 0, digest: Digest(of: [3]))
    header.sections = Array(repeating: none, count: random.next(below: 4))
    var end = header.byteCount
    for index in header.sections.indices {
      header.sections[index] = .init(offset: end, byteCount: random.next(below: 9000), digest: Digest(of: [UInt8(index)]))
      end += 12288
    }
    return header
  }

  private func read(_ bytes: [UInt8], fileByteCount: Int) throws(PrefixDefect) -> PrefixHeader {
    let count = try PrefixHeader.byteCount(Array(bytes.prefix(4096)), fileByteCount: fileByteCount)
    return try PrefixHeader(Array(bytes.prefix(count)), fileByteCount: fileByteCount)
  }

  @Test("A header is read back as it was written")
  func whole() throws {
    var random = SplitMix64(seed: 1)
    for _ in 0..<100 {
      let header = Self.header(&random)
      #expect(header.bytes.count == header.byteCount)
      #expect(try read(header.bytes, fileByteCount: header.byteCount + 4 * 12288) == header)
    }
  }

  @Test("Damaged headers are refused in one line, also with extreme numbers and a matching digest")
  func damaged() {
    var random = SplitMix64(seed: 2)
    var (refused, read) = (0, 0)
    for _ in 0..<FuzzCases.count() {
      var bytes = Self.header(&random).bytes
      for _ in 0...random.next(below: 3) {
        if random.next(below: 2) == 0 {
          bytes[random.next(below: bytes.count)] = UInt8(truncatingIfNeeded: random.next())
        } else {
          let offset = random.pick([40, 112, 120, 128, 136, bytes.count - 48, bytes.count - 8]) & ~7
          let value = UInt64(bitPattern: Int64(random.pick(Fuzzing.edges)))
          for index in 0..<8 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) }
        }
      }
      if random.next(below: 4) == 0 { bytes.removeLast(random.next(below: bytes.count)) }
      // A matching digest lets the reader reach the numbers.
      if random.next(below: 2) == 0, bytes.count > 40 {
        bytes.replaceSubrange(8..<40, with: Digest(of: Array(bytes[40...])).hex.utf8)
      }
      do throws(PrefixDefect) {
        let header = try self.read(bytes, fileByteCount: random.pick([bytes.count, bytes.count + 50_000, Int.max]))
        read += 1
        #expect(!header.tokens.isEmpty && header.sections.allSatisfy { $0.offset % 4096 == 0 && $0.byteCount >= 0 })
      } catch {
        refused += 1
        #expect(Fuzzing.isOneLine(error.description) && error.description.count > 10)
      }
    }
    #expect(refused > 0 && read > 0)
  }
}
