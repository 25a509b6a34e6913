// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import WeightTypes

/// The type of a tensor's elements, with the number and name that ggml or its fork ik_llama.cpp gave it.
///
/// Elements are stored in blocks: `blockElements` consecutive elements of a row share `blockByteCount` bytes. The blocks of a row follow
/// its header of `rowHeaderByteCount` bytes. All facts about a type are in its row of the table in the C module `WeightTypes`; this type is
/// a view of that row.
public struct WeightType: RawRepresentable, CaseIterable, Sendable, Hashable {
  /// ggml's number.
  public let rawValue: UInt32

  /// The type with that ggml number; nil if no type has it.
  public init?(rawValue: UInt32) {
    guard wt_facts_of(rawValue).elements != 0 else { return nil }
    self.rawValue = rawValue
  }

  init(_ type: wt_type) { rawValue = type.rawValue }

  /// All types, by number.
  public static let allCases: [WeightType] = (0..<WT_COUNT.rawValue).compactMap(WeightType.init(rawValue:))

  /// The row of the table for this type.
  package var facts: wt_facts { wt_facts_of(rawValue) }

  /// The elements in one block; the length of a row is a multiple of it.
  public var blockElements: Int { Int(facts.elements) }

  /// The bytes before the blocks of a row: 0, or the size of a scale for the whole row.
  public var rowHeaderByteCount: Int { Int(facts.row_header) }

  /// The bytes of one block.
  public var blockByteCount: Int { Int(facts.bytes) }

  /// The number of rows whose blocks are interleaved: 1, or 4 or 8 for types that ik_llama.cpp made for its kernels.
  ///
  /// The row count of a matrix is a multiple of it, and rows can be addressed only in whole groups.
  public var groupRows: Int { Int(facts.group_rows) }

  /// The type of these rows once they are no longer interleaved; the type itself if they are not.
  public var base: WeightType { WeightType(rawValue: UInt32(facts.base)) ?? self }

  /// Whether elements are single numbers rather than blocks that share a scale.
  public var isScalar: Bool { facts.elements == 1 }

  /// The name as ggml writes it, such as `Q4_K`.
  public var name: String { unsafe String(cString: wt_name(rawValue)) }

  /// The type with that ggml name, such as `Q4_K`; nil if no type has it.
  public init?(name: String) {
    guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = type
  }

  /// Returns the bytes of a row of `elements`, including its header; nil if that is not a whole number of blocks, or on overflow.
  public func byteCount(elements: Int) -> Int? {
    let facts = facts
    guard elements >= 0, elements % Int(facts.elements) == 0 else { return nil }
    return (elements / Int(facts.elements)).multiplied(by: Int(facts.bytes))?.adding(Int(facts.row_header))
  }
}

/// The types by name.
extension WeightType {
  /// Single-precision floats.
  public static var f32: WeightType { WeightType(WT_F32) }
  /// Half-precision floats.
  public static var f16: WeightType { WeightType(WT_F16) }
  /// 4 bits and a scale for 32 elements.
  public static var q4_0: WeightType { WeightType(WT_Q4_0) }
  /// 4 bits, a scale and a min for 32 elements.
  public static var q4_1: WeightType { WeightType(WT_Q4_1) }
  /// 5 bits and a scale for 32 elements.
  public static var q5_0: WeightType { WeightType(WT_Q5_0) }
  /// 5 bits, a scale and a min for 32 elements.
  public static var q5_1: WeightType { WeightType(WT_Q5_1) }
  /// 8 bits and a scale for 32 elements.
  public static var q8_0: WeightType { WeightType(WT_Q8_0) }
  /// 2 bits; a scale and a min of 4 bits each for every 16 elements; blocks of 256.
  public static var q2_K: WeightType { WeightType(WT_Q2_K) }
  /// 3 bits; a scale of 6 bits for every 16 elements; blocks of 256.
  public static var q3_K: WeightType { WeightType(WT_Q3_K) }
  /// 4 bits; a scale and a min of 6 bits each for every 32 elements; blocks of 256.
  public static var q4_K: WeightType { WeightType(WT_Q4_K) }
  /// 5 bits; a scale and a min of 6 bits each for every 32 elements; blocks of 256.
  public static var q5_K: WeightType { WeightType(WT_Q5_K) }
  /// 6 bits; a scale of 8 bits for every 16 elements; blocks of 256.
  public static var q6_K: WeightType { WeightType(WT_Q6_K) }
  /// Points of a grid of 256 with 8 elements each; 2.06 bits per element.
  public static var iq2_xxs: WeightType { WeightType(WT_IQ2_XXS) }
  /// Points of a grid of 512 with 8 elements each; 2.31 bits per element.
  public static var iq2_xs: WeightType { WeightType(WT_IQ2_XS) }
  /// Points of a grid of 256 with 4 elements each; 3.06 bits per element.
  public static var iq3_xxs: WeightType { WeightType(WT_IQ3_XXS) }
  /// Points of a grid of 2048 with 8 elements each; 1.56 bits per element.
  public static var iq1_s: WeightType { WeightType(WT_IQ1_S) }
  /// 4-bit codes into a table of 16 values, and a scale for 32 elements.
  public static var iq4_nl: WeightType { WeightType(WT_IQ4_NL) }
  /// Points of a grid of 512 with 4 elements each; 3.44 bits per element.
  public static var iq3_s: WeightType { WeightType(WT_IQ3_S) }
  /// Points of a grid of 1024 with 8 elements each; 2.56 bits per element.
  public static var iq2_s: WeightType { WeightType(WT_IQ2_S) }
  /// 4-bit codes into a table of 16 values; a scale of 6 bits for every 32 elements; blocks of 256.
  public static var iq4_xs: WeightType { WeightType(WT_IQ4_XS) }
  /// Signed integers of 8 bits.
  public static var i8: WeightType { WeightType(WT_I8) }
  /// Signed integers of 16 bits.
  public static var i16: WeightType { WeightType(WT_I16) }
  /// Signed integers of 32 bits.
  public static var i32: WeightType { WeightType(WT_I32) }
  /// Signed integers of 64 bits.
  public static var i64: WeightType { WeightType(WT_I64) }
  /// Double-precision floats.
  public static var f64: WeightType { WeightType(WT_F64) }
  /// Points of a grid of 2048 with 8 elements each; 1.75 bits per element.
  public static var iq1_m: WeightType { WeightType(WT_IQ1_M) }
  /// The upper halves of single-precision floats.
  public static var bf16: WeightType { WeightType(WT_BF16) }
  /// -1, 0 or 1, five to a byte, and a scale for 256 elements.
  public static var tq1_0: WeightType { WeightType(WT_TQ1_0) }
  /// -1, 0 or 1 in 2 bits, and a scale for 256 elements.
  public static var tq2_0: WeightType { WeightType(WT_TQ2_0) }
  /// E2M1 floats, and an E8M0 scale for 32 elements.
  public static var mxfp4: WeightType { WeightType(WT_MXFP4) }
  /// E2M1 floats; an E4M3 scale for every 16 elements; blocks of 64.
  public static var nvfp4: WeightType { WeightType(WT_NVFP4) }
  /// One sign, and a scale for 128 elements.
  public static var q1_0: WeightType { WeightType(WT_Q1_0) }
  /// 2 bits less one, and a scale for 64 elements.
  public static var q2_0: WeightType { WeightType(WT_Q2_0) }
}

extension WeightType: CustomStringConvertible {
  /// ggml's name.
  public var description: String { name }
}
