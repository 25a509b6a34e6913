// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// How a tensor's blocks are arranged in a blob.
///
/// `docs/FORMAT.md` draws each layout bit by bit.
public enum Layout: String, Sendable, Hashable, CaseIterable {
  /// Rows one after another, as in the GGUF.
  case gguf
  /// Groups of 16 rows; along K, units of four bytes, so that a 64-byte line holds one unit of each row.
  case r16k4
  /// Groups of 16 rows; along K, single values: 16 two-byte values of one column lie together. F16 and BF16.
  case r16k1

  /// Rows in one group of the 16-row layouts.
  public static let groupRows = 16
}

/// One field of a weight block, and how the 16-row layouts interleave it.
///
/// A field of `byteCount` bytes is cut into units of `unitBits`; unit 0 of rows 0 to 15 come first, then unit 1, and so on.
/// Half-byte units count from the low half of a byte upward, in the source block and in the layout alike.
public struct InterleavedField: Sendable, Hashable {
  /// Position of the field in the source block, in bytes.
  public let offset: Int
  /// Size of the field in the source block, in bytes.
  public let byteCount: Int
  /// Size of what is interleaved: 4, 8, 16 or 32 bits.
  public let unitBits: Int
  /// What every byte is combined with by exclusive or, so that kernels find unsigned values.
  public let flippedBits: UInt8

  init(at offset: Int, _ byteCount: Int, unitBits: Int, flippedBits: UInt8 = 0) {
    self.offset = offset
    self.byteCount = byteCount
    self.unitBits = unitBits
    self.flippedBits = flippedBits
  }
}

/// The 16-row form of a weight type: what stands in front of a tile and what follows.
///
/// Sixteen rows of K elements become a *row group*: a run of tiles. A tile covers `tileBlocks` consecutive blocks of each row
/// (fewer in the last one). First come the heads of its blocks (scales, mins), padded with zeros to a multiple of 64 bytes, then
/// their bodies (quants). Both are made of interleaved fields. A row group is a multiple of 64 bytes.
public struct InterleavedForm: Sendable, Hashable {
  /// The weight type.
  public let type: WeightType
  /// The layout that this form is.
  public let layout: Layout
  /// Blocks of a row in one tile.
  public let tileBlocks: Int
  /// Fields of a block's head, in order.
  public let head: [InterleavedField]
  /// Fields of a block's body, in order.
  public let body: [InterleavedField]

  /// Bytes that 16 rows' heads of one block take.
  public var headByteCount: Int { Layout.groupRows * head.reduce(0) { $0 + $1.byteCount } }
  /// Bytes that 16 rows' bodies of one block take.
  public var bodyByteCount: Int { Layout.groupRows * body.reduce(0) { $0 + $1.byteCount } }

  /// Bytes of a row group whose rows have `blocks` blocks, or nil on overflow.
  public func groupByteCount(blocks: Int) -> Int? {
    guard blocks >= 0 else { return nil }
    let (tiles, rest) = blocks.quotientAndRemainder(dividingBy: tileBlocks)
    let (full, overflow) = tiles.multipliedReportingOverflow(by: tileByteCount(blocks: tileBlocks))
    let (sum, overflow2) = full.addingReportingOverflow(tileByteCount(blocks: rest))
    return overflow || overflow2 ? nil : sum
  }

  /// Bytes of a tile that covers `blocks` blocks (at most `tileBlocks`).
  public func tileByteCount(blocks: Int) -> Int {
    (blocks * headByteCount + 63) / 64 * 64 + (blocks * bodyByteCount + 63) / 64 * 64
  }

  /// The 16-row form of `type`, or nil where it has none and stays in layout `gguf`.
  public init?(_ type: WeightType) {
    func field(_ offset: Int, _ bytes: Int, _ bits: Int, flip: UInt8 = 0) -> InterleavedField {
      InterleavedField(at: offset, bytes, unitBits: bits, flippedBits: flip)
    }
    let half = 16
    var layout = Layout.r16k4
    let form: (tileBlocks: Int, head: [InterleavedField], body: [InterleavedField])
    switch type {
    case .q4_0, .iq4_nl: form = (2, [field(0, 2, half)], [field(2, 16, 32)])
    case .q4_1: form = (1, [field(0, 2, half), field(2, 2, half)], [field(4, 16, 32)])
    case .q5_0: form = (2, [field(0, 2, half)], [field(2, 4, 4), field(6, 16, 32)])
    case .q5_1: form = (1, [field(0, 2, half), field(2, 2, half)], [field(4, 4, 4), field(8, 16, 32)])
    case .q8_0: form = (2, [field(0, 2, half)], [field(2, 32, 32, flip: 0x80)])
    case .q2_K: form = (1, [field(80, 2, half), field(82, 2, half), field(0, 16, 8)], [field(16, 64, 32)])
    case .q3_K: form = (2, [field(108, 2, half), field(96, 12, 8)], [field(0, 32, 32), field(32, 64, 32)])
    case .q4_K: form = (1, [field(0, 2, half), field(2, 2, half), field(4, 12, 8)], [field(16, 128, 32)])
    case .q5_K: form = (1, [field(0, 2, half), field(2, 2, half), field(4, 12, 8)], [field(16, 32, 32), field(48, 128, 32)])
    case .q6_K: form = (2, [field(208, 2, half), field(192, 16, 8)], [field(0, 128, 32), field(128, 64, 32)])
    case .iq4_xs: form = (1, [field(0, 2, half), field(2, 2, half), field(4, 4, 8)], [field(8, 128, 32)])
    case .mxfp4: form = (4, [field(0, 1, 8)], [field(1, 16, 32)])
    case .f16, .bf16:
      layout = .r16k1
      form = (2, [], [field(0, 2, half)])
    default: return nil
    }
    self.type = type
    self.layout = layout
    (tileBlocks, head, body) = form
  }
}
