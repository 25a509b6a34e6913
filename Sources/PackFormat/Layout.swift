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
  /// Groups of 16 rows. Along K, units of four bytes are interleaved, so that a 64-byte line holds one unit of each row.
  case r16k4
  /// Groups of 16 rows. Along K, single two-byte values (F16, BF16) are interleaved: the 16 values of one column lie together.
  case r16k1

  /// The rows in one group of the 16-row layouts.
  public static let groupRows = 16
}

/// One field of a weight block, and how the 16-row layouts interleave it.
///
/// A field of `byteCount` bytes is cut into units of `unitBits`; unit 0 of rows 0 to 15 come first, then unit 1, and so on.
/// Half-byte units count from the low half of a byte upward, in the source block and in the layout alike.
public struct InterleavedField: Sendable, Hashable {
  /// The offset of the field in bytes, from the start of the source block; for a row's header, from the start of the row.
  public let offset: Int
  /// The size of the field in the source block, in bytes.
  public let byteCount: Int
  /// The size of an interleaved unit in bits: 4, 8, 16 or 32.
  public let unitBits: Int
  /// The mask that every byte is combined with by exclusive or, so that kernels find unsigned values.
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

/// The 16-row form of a weight type: the fields in the head of a tile and those in its body.
///
/// Sixteen rows of K elements become a *row group*, which is a sequence of tiles. A tile covers `tileBlocks` consecutive blocks of each
/// row; the last tile may cover fewer. If the type has row headers, those of the 16 rows come before the first tile, padded with zeros to
/// 64 bytes. A tile begins with the heads of its blocks (scales, mins), padded with zeros to a multiple of 64 bytes. The bodies of the
/// blocks (quants) follow. Heads and bodies both consist of interleaved fields. The size of a row group is a multiple of 64 bytes.
public struct InterleavedForm: Sendable, Hashable {
  /// The weight type; for a type that interleaves rows, the form holds the rows of its base type.
  public let type: WeightType
  /// The layout that this form belongs to.
  public let layout: Layout
  /// The layout version that introduced this form. Packs of older versions store the type in layout `gguf`.
  public let layoutVersion: Int
  /// The blocks of one row in a tile.
  public let tileBlocks: Int
  /// The header of a row; nil if the type has none.
  public let rowHeader: InterleavedField?
  /// The fields of a block's head, in order.
  public let head: [InterleavedField]
  /// The fields of a block's body, in order.
  public let body: [InterleavedField]

  /// The bytes of the headers of 16 rows, including padding.
  public var rowHeadersByteCount: Int { (Layout.groupRows * (rowHeader?.byteCount ?? 0)).roundedUp(toMultipleOf: 64) }
  /// The bytes of one block's heads for 16 rows.
  public var headByteCount: Int { Layout.groupRows * head.reduce(0) { $0 + $1.byteCount } }
  /// The bytes of one block's bodies for 16 rows.
  public var bodyByteCount: Int { Layout.groupRows * body.reduce(0) { $0 + $1.byteCount } }

  /// Returns the bytes of a row group whose rows have `blocks` blocks, or nil on overflow.
  public func groupByteCount(blocks: Int) -> Int? {
    guard blocks >= 0 else { return nil }
    let (tiles, rest) = blocks.quotientAndRemainder(dividingBy: tileBlocks)
    return tiles.multiplied(by: tileByteCount(blocks: tileBlocks))?.adding(tileByteCount(blocks: rest) + rowHeadersByteCount)
  }

  /// Returns the bytes of a tile that covers `blocks` blocks, at most `tileBlocks`.
  public func tileByteCount(blocks: Int) -> Int {
    (blocks * headByteCount).roundedUp(toMultipleOf: 64) + (blocks * bodyByteCount).roundedUp(toMultipleOf: 64)
  }

  /// Describes the 16-row form of `type`; nil if it has none and stays in layout `gguf`. A type that interleaves rows has the form of its
  /// base.
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
  /// The layout that the table's row of a type names.
  fileprivate init?(_ facts: wt_facts) {
    switch wt_layout(UInt32(facts.layout)) {
    case WT_LAYOUT_GGUF: self = .gguf
    case WT_LAYOUT_R16K1: self = .r16k1
    case WT_LAYOUT_R16K4: self = .r16k4
    default: return nil
    }
  }
}
