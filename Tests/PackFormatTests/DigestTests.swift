// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import PackFormat
import Testing

@Suite("Digests")
struct DigestTests {
  @Test("Digests are 128-bit XXH3 in canonical form")
  func known() {
    // The first is the documented value of the reference implementation for empty input.
    #expect(Digest(of: []).hex == "99aa06d3014798d86001c324468d497f")
    #expect(Digest(hex: Digest(of: [1, 2, 3]).hex) == Digest(of: [1, 2, 3]))
    for bad in ["", "99aa06d3014798d86001c324468d497", "99aa06d3014798d86001c324468d497g", "+9aa06d3014798d86001c324468d497f"] {
      #expect(Digest(hex: bad) == nil)
    }
  }

  @Test("The digest of pieces is the digest of the whole", arguments: [0, 1, 63, 64, 240, 241, 5000])
  func pieces(count: Int) throws {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    var stream = try DigestStream()
    for start in stride(from: 0, to: count, by: 17) {
      stream.update(Array(bytes[start..<min(count, start + 17)]).span.bytes)
    }
    #expect(stream.digest == Digest(of: bytes))
  }

  @Test("The list of digests is the same after writing and reading")
  func list() throws {
    let list = Checksums(["b": Digest(of: [1]), "a file": Digest(of: [2])])
    #expect(try Checksums(text: list.text, file: "list") == list)
    #expect(list.text.hasPrefix(Digest(of: [2]).hex + "  a file\n"))
  }
}
