// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Tokenization

@Suite("The secret key of the tables of tokens")
struct HashKeyTests {
  @Test("Tokens chosen to collide under a key that an attacker knows have different hashes under another key")
  func chosen() {
    let (start, factor) = (UInt64(0x0123_4567_89ab_cdef), UInt64(0x9e37_79b9_7f4a_7c15))
    let known = HashKey(start: start, factor: factor)
    func mix(_ value: UInt64) -> UInt64 {
      let product = value.multipliedFullWidth(by: factor)
      return product.high ^ product.low
    }
    // The second half undoes what the first half did to the state.
    let tokens = (0..<36_000).map { index -> [UInt8] in
      let first = UInt64(index) &* 0xd134_2543_de82_ef95
      let second = mix(start &+ 16 &* 0x9e37_79b9_7f4a_7c15 ^ first)
      return [first, second].flatMap { word in withUnsafeBytes(of: word) { Array($0) } }
    }
    #expect(Set(tokens.map { known.hash($0.span) }).count == 1)
    #expect(Set(tokens).count == tokens.count)
    #expect(Set(tokens.map { HashKey.ofProcess.hash($0.span) & 0xffff_ffff }).count > tokens.count * 99 / 100)
  }
}
