// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import GGUF
import PackFormat
import TestSupport
import Testing

@testable import Repack

private let interleavedTypes = WeightType.allCases.filter { InterleavedForm($0) != nil }

@Suite("Row groups")
struct GroupTransformTests {
  @Test(
    "A row group has all units where the format says, and restores its rows", arguments: interleavedTypes, [1, 2, 3, 4, 5, 8, 11])
  func matchesOracle(type: WeightType, blocks: Int) throws {
    let transform = try #require(GroupTransform(type: type, elements: blocks * type.blockElements))
    var random = SplitMix64(seed: UInt64(type.rawValue) << 8 + UInt64(blocks))
    let rows = (0..<16).map { _ in random.bytes(transform.rowByteCount) }
    let expected = InterleavingOracle(form: transform.form).group(of: rows)
    #expect(expected.count == transform.groupByteCount)

    // The memory is not zero, so that unwritten padding is noticed.
    var group = [UInt8](repeating: 0xa5, count: transform.groupByteCount)
    var plain = rows.flatMap { $0 }
    if type.groupRows > 1 {
      let ordered = plain
      ck_group_rows(type.rawValue, ordered, 16, Int64(blocks * type.blockElements), &plain)
      #expect(plain != ordered)
    }
    plain.withUnsafeBytes { source in group.withUnsafeMutableBytes { transform.interleave(source, into: $0) } }
    #expect(group == expected)

    var back = [UInt8](repeating: 0x5a, count: plain.count)
    group.withUnsafeBytes { source in back.withUnsafeMutableBytes { transform.separate(source, into: $0) } }
    #expect(back == plain)
  }

  @Test("Every type that must have a 16-row form has one, which holds every byte of the block once", arguments: interleavedTypes)
  func coversBlock(type: WeightType) throws {
    let form = try #require(InterleavedForm(type))
    let fields = (form.head + form.body).sorted { $0.offset < $1.offset }
    var end = 0
    for field in fields {
      #expect(field.offset == end)
      end += field.byteCount
    }
    #expect(end == type.blockByteCount)
  }

  @Test("Each version of the layouts has the 16-row forms that FORMAT.md lists for it")
  func types() {
    let names = [
      1: [
        "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4", "F16", "BF16",
      ],
      2: [
        "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "Q6_0", "IQ2_K", "IQ3_K", "IQ4_K", "IQ5_K", "IQ6_K",
        "IQ2_KS",
        "IQ3_KS", "IQ4_KS", "IQ5_KS", "IQ4_KSS", "IQ2_KL", "IQ1_KT", "IQ2_KT", "IQ3_KT", "IQ4_KT", "TQ1_0", "TQ2_0", "NVFP4",
        "Q1_0",
        "Q2_0", "Q4_0_R8", "Q8_0_R8", "Q4_K_R4", "IQ4_XS_R8", "IQ2_K_R4", "IQ3_K_R4",
        "IQ4_K_R4", "IQ5_K_R4", "IQ4_KS_R4", "IQ5_KS_R4",
      ],
    ]
    for (version, names) in names {
      let found = interleavedTypes.filter { InterleavedForm($0)?.layoutVersion == version }
      #expect(Set(found.map(\.name)) == Set(names))
    }
    #expect(interleavedTypes.count == names.values.reduce(0) { $0 + $1.count })
  }
}
