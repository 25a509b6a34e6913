// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import GGUF
import JSON
import PackFormat

extension Pack {
  /// Returns the description of the pack for programs.
  func document(listsTensors: Bool) -> JSONObject {
    var document = JSONObject()
    document.set("pack", path)
    document.set("model", metadata.string("general.name"))
    document.set("architecture", metadata.string("general.architecture"))
    document.set("writer", manifest.writer)
    document.set("formatVersion", manifest.formatVersion)
    document.set("layoutVersion", manifest.layoutVersion)
    document.set("placement", manifest.placement.rawValue)
    document.set("nodeCount", manifest.nodeCount)
    document.set("alignment", manifest.alignment)
    document.set("source", manifest.source.map(\.json))
    document.set("blobs", manifest.blobs.indices.map(manifest.json(ofBlob:)))
    document.set("tensorCount", manifest.tensors.count)
    document.set("types", WeightSum.byType(manifest).map(\.json))
    if listsTensors { document.set("tensors", manifest.tensors.map(\.json)) }
    return document
  }
}

extension PackManifest {
  /// Returns the bytes of a blob that are weights; the others are padding.
  func usedByteCount(of blob: Int) -> Int {
    // Every copy of a mirror has the slices of the first.
    let holder = placement == .mirror ? 0 : blob
    return tensors.reduce(0) { sum, tensor in
      sum + tensor.slices.filter { $0.blob == holder }.reduce(0) { $0 + $1.byteCount * tensor.expertCount }
    }
  }

  fileprivate func json(ofBlob index: Int) -> JSONObject {
    let blob = blobs[index]
    var json = JSONObject()
    json.set("file", blob.file)
    json.set("node", blob.node)
    json.set("byteCount", blob.byteCount)
    json.set("paddingByteCount", blob.byteCount - usedByteCount(of: index))
    json.set("storedByteCount", blob.storedByteCount)
    json.set("isCompressed", blob.storage != nil)
    return json
  }
}

extension PackManifest.SourcePart {
  fileprivate var json: JSONObject {
    var json = JSONObject()
    json.set("name", name)
    json.set("byteCount", byteCount)
    return json
  }
}

extension PackTensor {
  fileprivate var json: JSONObject {
    var json = JSONObject()
    json.set("name", name)
    json.set("type", type.name)
    json["dimensions"] = .array(dimensions.map { .integer(Int128($0)) })
    json.set("slices", slices.map(\.json))
    return json
  }
}

extension TensorSlice {
  fileprivate var json: JSONObject {
    var json = JSONObject()
    json.set("blob", blob)
    json.set("layout", layout.rawValue)
    json.set("offset", offset)
    json.set("byteCount", byteCount)
    json.set("expertStride", expertStride)
    json.set("rowBegin", rowBegin)
    json.set("rowCount", rowCount)
    return json
  }
}
