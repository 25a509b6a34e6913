// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import WeightTypes

/// The order of a tensor's blocks in a blob.
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
  /// Position of the field in the source block (of a row's header, in the row), in bytes.
  public let offset: Int
  /// Size of the field in the source block, in bytes.
  public let byteCount: Int
  /// Size of what is interleaved: 4, 8, 16 or 32 bits.
  public let unitBits: Int
  /// What every byte is combined with by exclusive or, so that kernels find unsigned values.
  public let flippedBits: UInt8

  /// A row's header: one number.
  init?(rowHeaderByteCount: Int) {
    guard rowHeaderByteCount > 0 else { return nil }
    offset = 0
    byteCount = rowHeaderByteCount
    unitBits = 8 * rowHeaderByteCount
    flippedBits = 0
  }

  init?(_ field: wt_field) {
    guard field.bytes != 0 else { return nil }
    offset = Int(field.offset)
    byteCount = Int(field.bytes)
    unitBits = Int(field.unit_bits)
    flippedBits = field.flip
  }
}

/// The 16-row form of a weight type: what the head of a tile holds, and what its body holds.
///
/// Sixteen rows of K elements become a *row group*: a run of tiles. A tile covers `tileBlocks` consecutive blocks of each row
/// (fewer in the last one). In front of the first tile are the rows' headers, if the type has such, padded with zeros to 64 bytes. In a tile
/// first come the heads of its blocks (scales, mins), padded with zeros to a multiple of 64 bytes, then
/// their bodies (quants). Both are made of interleaved fields. A row group is a multiple of 64 bytes.
public struct InterleavedForm: Sendable, Hashable {
  /// The weight type; its rows are those of its base.
  public let type: WeightType
  /// The layout that this form is.
  public let layout: Layout
  /// The version of the layouts in which the type got this form; packs of older versions have the type in layout `gguf`.
  public let layoutVersion: Int
  /// Blocks of a row in one tile.
  public let tileBlocks: Int
  /// The headers of rows; nil where they have none.
  public let rowHeader: InterleavedField?
  /// Fields of a block's head, in order.
  public let head: [InterleavedField]
  /// Fields of a block's body, in order.
  public let body: [InterleavedField]

  /// Bytes of 16 rows' headers, with their padding.
  public var rowHeadersByteCount: Int { (Layout.groupRows * (rowHeader?.byteCount ?? 0)).roundedUp(toMultipleOf: 64) }
  /// Bytes that 16 rows' heads of one block take.
  public var headByteCount: Int { Layout.groupRows * head.reduce(0) { $0 + $1.byteCount } }
  /// Bytes that 16 rows' bodies of one block take.
  public var bodyByteCount: Int { Layout.groupRows * body.reduce(0) { $0 + $1.byteCount } }

  /// Bytes of a row group whose rows have `blocks` blocks, or nil on overflow.
  public func groupByteCount(blocks: Int) -> Int? {
    guard blocks >= 0 else { return nil }
    let (tiles, rest) = blocks.quotientAndRemainder(dividingBy: tileBlocks)
    return tiles.multiplied(by: tileByteCount(blocks: tileBlocks))?.adding(tileByteCount(blocks: rest) + rowHeadersByteCount)
  }

  /// Bytes of a tile that covers `blocks` blocks (at most `tileBlocks`).
  public func tileByteCount(blocks: Int) -> Int {
    (blocks * headByteCount).roundedUp(toMultipleOf: 64) + (blocks * bodyByteCount).roundedUp(toMultipleOf: 64)
  }

  /// The 16-row form of `type`, or nil where it has none and stays in layout `gguf`. A type that interleaves rows has that of its base.
  public init?(_ type: WeightType) {
    let facts = type.base.facts
    guard let layout = Layout(facts), layout != .gguf else { return nil }
    self.type = type
    self.layout = layout
    layoutVersion = max(Int(facts.since), Int(type.facts.since))
    tileBlocks = Int(facts.tile_blocks)
    rowHeader = InterleavedField(rowHeaderByteCount: type.rowHeaderByteCount)
    head = (0..<Int32(WT_FIELDS_MAX)).compactMap { InterleavedField(wt_head_field(facts, $0)) }
    body = (0..<Int32(WT_FIELDS_MAX)).compactMap { InterleavedField(wt_body_field(facts, $0)) }
  }
}

extension Layout {
  /// The layout that a type's row names.
  fileprivate init?(_ facts: wt_facts) {
    switch wt_layout(UInt32(facts.layout)) {
    case WT_LAYOUT_GGUF: self = .gguf
    case WT_LAYOUT_R16K1: self = .r16k1
    case WT_LAYOUT_R16K4: self = .r16k4
    default: return nil
    }
  }
}
