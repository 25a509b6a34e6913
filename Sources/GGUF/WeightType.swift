// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The type of a tensor's elements, with ggml's number and name.
///
/// Elements are stored in blocks: `blockElements` consecutive elements of a row share `blockByteCount` bytes.
/// Sizes and numbers are those of `ggml.h` and `ggml-common.h`.
public enum WeightType: UInt32, CaseIterable, Sendable, Hashable {
  case f32 = 0
  case f16 = 1
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q2_K = 10
  case q3_K = 11
  case q4_K = 12
  case q5_K = 13
  case q6_K = 14
  case iq2_xxs = 16
  case iq2_xs = 17
  case iq3_xxs = 18
  case iq1_s = 19
  case iq4_nl = 20
  case iq3_s = 21
  case iq2_s = 22
  case iq4_xs = 23
  case i8 = 24
  case i16 = 25
  case i32 = 26
  case i64 = 27
  case f64 = 28
  case iq1_m = 29
  case bf16 = 30
  case tq1_0 = 34
  case tq2_0 = 35
  case mxfp4 = 39
  case nvfp4 = 40
  case q1_0 = 41
  case q2_0 = 42

  /// Elements in one block; a row's length is a multiple of it.
  public var blockElements: Int { geometry.elements }

  /// Bytes of one block.
  public var blockByteCount: Int { geometry.bytes }

  /// The name as ggml writes it, such as `Q4_K`.
  public var name: String { geometry.name }

  private var geometry: (name: String, elements: Int, bytes: Int) {
    switch self {
    case .f32: ("F32", 1, 4)
    case .f16: ("F16", 1, 2)
    case .bf16: ("BF16", 1, 2)
    case .f64: ("F64", 1, 8)
    case .i8: ("I8", 1, 1)
    case .i16: ("I16", 1, 2)
    case .i32: ("I32", 1, 4)
    case .i64: ("I64", 1, 8)
    case .q4_0: ("Q4_0", 32, 18)
    case .q4_1: ("Q4_1", 32, 20)
    case .q5_0: ("Q5_0", 32, 22)
    case .q5_1: ("Q5_1", 32, 24)
    case .q8_0: ("Q8_0", 32, 34)
    case .q2_K: ("Q2_K", 256, 84)
    case .q3_K: ("Q3_K", 256, 110)
    case .q4_K: ("Q4_K", 256, 144)
    case .q5_K: ("Q5_K", 256, 176)
    case .q6_K: ("Q6_K", 256, 210)
    case .iq1_s: ("IQ1_S", 256, 50)
    case .iq1_m: ("IQ1_M", 256, 56)
    case .iq2_xxs: ("IQ2_XXS", 256, 66)
    case .iq2_xs: ("IQ2_XS", 256, 74)
    case .iq2_s: ("IQ2_S", 256, 82)
    case .iq3_xxs: ("IQ3_XXS", 256, 98)
    case .iq3_s: ("IQ3_S", 256, 110)
    case .iq4_nl: ("IQ4_NL", 32, 18)
    case .iq4_xs: ("IQ4_XS", 256, 136)
    case .tq1_0: ("TQ1_0", 256, 54)
    case .tq2_0: ("TQ2_0", 256, 66)
    case .mxfp4: ("MXFP4", 32, 17)
    case .nvfp4: ("NVFP4", 64, 36)
    case .q1_0: ("Q1_0", 128, 18)
    case .q2_0: ("Q2_0", 64, 18)
    }
  }

  /// The type of that ggml name, such as `Q4_K`; nil for an unknown one.
  public init?(name: String) {
    guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = type
  }

  /// Bytes of a row of `elements`, or nil if that is no whole number of blocks or overflows.
  public func byteCount(elements: Int) -> Int? {
    guard elements >= 0, elements % blockElements == 0 else { return nil }
    let (bytes, overflow) = (elements / blockElements).multipliedReportingOverflow(by: blockByteCount)
    return overflow ? nil : bytes
  }
}
