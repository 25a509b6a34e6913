// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import JSON
import PackFormat

/// The tensors of one type in one layout.
struct WeightSum: CustomStringConvertible {
  var type: String
  var layout: String
  var tensorCount = 0
  var byteCount = 0
  /// The bytes in the files, if the pack is compressed.
  var storedByteCount: Int?

  var description: String {
    let stored = storedByteCount.map { ", compressed to \(Decimal(100 * Double($0) / Double(max(byteCount, 1)), 1)) %" } ?? ""
    return "\(type) in \(layout): \(Count(tensorCount, "tensor")), \(ByteCount(byteCount))\(stored)"
  }

  /// Returns the sums of a pack, largest first.
  static func byType(_ manifest: PackManifest) -> [WeightSum] {
    let stored = storedByteCounts(manifest)
    var sums: [String: WeightSum] = [:]
    for tensor in manifest.tensors {
      let layout = (tensor.slices.first?.layout ?? .gguf).rawValue
      let name = "\(tensor.type.name) in \(layout)"
      var sum = sums[name] ?? WeightSum(type: tensor.type.name, layout: layout)
      sum.tensorCount += 1
      for slice in tensor.slices {
        sum.byteCount += slice.byteCount * tensor.expertCount
        // A segment begins at the start of each slice.
        if let bytes = stored[slice.blob]?[slice.offset] { sum.storedByteCount = (sum.storedByteCount ?? 0) + bytes }
      }
      sums[name] = sum
    }
    return sums.sorted { ($0.value.byteCount, $1.key) > ($1.value.byteCount, $0.key) }.map(\.value)
  }

  /// Returns the stored bytes of each segment, by blob and by the segment's offset in the content.
  private static func storedByteCounts(_ manifest: PackManifest) -> [Int: [Int: Int]] {
    var result: [Int: [Int: Int]] = [:]
    for (index, blob) in manifest.blobs.enumerated() {
      var start = 0
      for segment in blob.storage?.segments ?? [] {
        result[index, default: [:]][start] = segment.storedByteCount
        start += segment.byteCount
      }
    }
    return result
  }
}

extension WeightSum {
  /// The sum for programs.
  var json: JSONObject {
    var json = JSONObject()
    json.set("type", type)
    json.set("layout", layout)
    json.set("tensorCount", tensorCount)
    json.set("byteCount", byteCount)
    json.set("storedByteCount", storedByteCount)
    return json
  }
}
