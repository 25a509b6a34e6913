// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import Files
import GGUF
import PackFormat

/// Converts 16 rows to a row group of a 16-row layout, and back.
///
/// If the type interleaves rows, they are first put back in order, because the form is that of the type's base.
struct GroupTransform: Sendable {
  let form: InterleavedForm
  /// The number of blocks in a row.
  let blocks: Int
  /// The bytes of a row in the GGUF.
  let rowByteCount: Int
  /// The bytes of a row group.
  let groupByteCount: Int
  /// The bytes of the group's 16 rows in the GGUF.
  var plainByteCount: Int { Layout.groupRows * rowByteCount }
  /// The conversion from rows to row groups.
  var making: GroupConversion { GroupConversion(sourceByteCount: plainByteCount, byteCount: groupByteCount) }
  /// The conversion from row groups to rows.
  var undoing: GroupConversion { GroupConversion(sourceByteCount: groupByteCount, byteCount: plainByteCount) }

  /// A transform of rows of `elements` elements of `type`; nil if the type has no 16-row form or the size overflows.
  init?(type: WeightType, elements: Int) {
    guard let form = InterleavedForm(type), let row = type.byteCount(elements: elements),
      let group = form.groupByteCount(blocks: elements / type.blockElements)
    else { return nil }
    self.form = form
    blocks = elements / type.blockElements
    rowByteCount = row
    groupByteCount = group
  }

  /// The offsets of a field: in a row, and in the row group.
  private struct Place {
    let field: InterleavedField
    let row: Int
    let group: Int
  }

  /// Calls `body` for every field of every block. The padding after the heads is not visited; the caller zeroes it.
  private func forEachField(_ body: (Place) -> Void) {
    let (block, header) = (form.type.blockByteCount, form.type.rowHeaderByteCount)
    if let field = form.rowHeader { body(Place(field: field, row: 0, group: 0)) }
    var tileStart = form.rowHeadersByteCount
    var first = 0
    while first < blocks {
      let count = min(form.tileBlocks, blocks - first)
      var head = tileStart
      var place = tileStart + (count * form.headByteCount).roundedUp(toMultipleOf: 64)
      for index in first..<first + count {
        for field in form.head {
          body(Place(field: field, row: header + index * block + field.offset, group: head))
          head += Layout.groupRows * field.byteCount
        }
        for field in form.body {
          body(Place(field: field, row: header + index * block + field.offset, group: place))
          place += Layout.groupRows * field.byteCount
        }
      }
      tileStart += form.tileByteCount(blocks: count)
      first += count
    }
  }

  /// Interleaves 16 rows into a row group.
  ///
  /// - Precondition: `rows` has 16 × `rowByteCount` bytes, `group` has `groupByteCount`.
  func interleave(_ rows: UnsafeRawBufferPointer, into group: UnsafeMutableRawBufferPointer) {
    precondition(rows.count == Layout.groupRows * rowByteCount && group.count == groupByteCount)
    guard let source = unsafe rows.baseAddress?.assumingMemoryBound(to: UInt8.self),
      let target = unsafe group.baseAddress?.assumingMemoryBound(to: UInt8.self)
    else { return }
    unsafe group.initializeMemory(as: UInt8.self, repeating: 0)
    guard form.type.groupRows == 1 else {
      return unsafe withUnsafeTemporaryAllocation(byteCount: plainByteCount, alignment: 64) { rows in
        guard let rows = unsafe rows.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        unsafe ck_ungroup_rows(form.type.rawValue, source, Int64(Layout.groupRows), Int64(blocks * form.type.blockElements), rows)
        unsafe interleave(rows, into: target)
      }
    }
    unsafe interleave(source, into: target)
  }

  private func interleave(_ source: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<UInt8>) {
    forEachField { place in
      unsafe ck_interleave(
        source + place.row, Int64(rowByteCount), Int64(place.field.byteCount * 8 / place.field.unitBits),
        Int32(place.field.unitBits), place.field.flippedBits, target + place.group)
    }
  }

  /// Separates a row group into its 16 rows.
  ///
  /// - Precondition: `group` has `groupByteCount` bytes, `rows` has 16 × `rowByteCount`.
  func separate(_ group: UnsafeRawBufferPointer, into rows: UnsafeMutableRawBufferPointer) {
    precondition(rows.count == Layout.groupRows * rowByteCount && group.count == groupByteCount)
    guard let source = unsafe group.baseAddress?.assumingMemoryBound(to: UInt8.self),
      let target = unsafe rows.baseAddress?.assumingMemoryBound(to: UInt8.self)
    else { return }
    guard form.type.groupRows == 1 else {
      return unsafe withUnsafeTemporaryAllocation(byteCount: plainByteCount, alignment: 64) { rows in
        guard let rows = unsafe rows.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        unsafe separate(source, into: rows)
        unsafe ck_group_rows(form.type.rawValue, rows, Int64(Layout.groupRows), Int64(blocks * form.type.blockElements), target)
      }
    }
    unsafe separate(source, into: target)
  }

  private func separate(_ source: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<UInt8>) {
    forEachField { place in
      unsafe ck_separate(
        source + place.group, Int64(place.field.byteCount * 8 / place.field.unitBits), Int32(place.field.unitBits),
        place.field.flippedBits, target + place.row, Int64(rowByteCount))
    }
  }
}
