// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import PackFormat

/// The 16-row layouts as docs/FORMAT.md describes them, one unit at a time: slow, and written without the kernels.
struct InterleavingOracle {
  let form: InterleavedForm

  /// Returns the row group of 16 rows, each given as its bytes in the GGUF.
  func group(of rows: [[UInt8]]) -> [UInt8] {
    let (block, header) = (form.type.blockByteCount, form.type.rowHeaderByteCount)
    let blocks = rows[0].count / block
    var group: [UInt8] = rows.flatMap { $0.prefix(header) }
    while group.count % 64 != 0 { group.append(0) }
    for first in stride(from: 0, to: blocks, by: form.tileBlocks) {
      let tile = first..<min(blocks, first + form.tileBlocks)
      for fields in [form.head, form.body] {
        for index in tile {
          for field in fields { group += interleaved(rows, at: header + index * block + field.offset, field) }
        }
        // A tile begins at a multiple of 64, so padding the group to 64 also pads the tile.
        while group.count % 64 != 0 { group.append(0) }
      }
    }
    return group
  }

  /// Returns one field of the same block of 16 rows: unit 0 of all rows, unit 1 of all rows, and so on.
  private func interleaved(_ rows: [[UInt8]], at offset: Int, _ field: InterleavedField) -> [UInt8] {
    var nibbles: [UInt8] = []
    let unitNibbles = field.unitBits / 4
    for unit in 0..<field.byteCount * 2 / unitNibbles {
      for row in rows {
        for nibble in unit * unitNibbles..<(unit + 1) * unitNibbles {
          nibbles.append(row[offset + nibble / 2] >> (nibble % 2 * 4) & 0x0f)
        }
      }
    }
    return stride(from: 0, to: nibbles.count, by: 2).map { (nibbles[$0] | nibbles[$0 + 1] << 4) ^ field.flippedBits }
  }
}
