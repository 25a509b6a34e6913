// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import JSON

// Reading and writing `pack.json`. A new field needs a line in both halves of this file and a row in docs/FORMAT.md.

// MARK: Reading

extension PackManifest {
  /// Parses the document `bytes`, keeping only the known fields; errors call it `file`.
  init(json bytes: [UInt8], file: String) throws(PackError) {
    var versions: [String: Int] = [:]
    do throws(JSONError) {
      // Check the versions first, so that a manifest from a newer program is refused for its version and not for a missing field.
      try JSONReader.document(bytes, requiring: ["formatVersion", "layoutVersion"]) { (json, name) throws(JSONError) in
        if name == "formatVersion" || name == "layoutVersion" { versions[name] = try json.integer() } else { try json.skip() }
      }
    } catch {
      throw .invalid(file: file, problem: "at byte \(error.offset): \(error.problem)")
    }
    for (field, known) in [("formatVersion", Self.currentFormatVersion), ("layoutVersion", Self.currentLayoutVersion)] {
      guard let found = versions[field], !(1...known).contains(found) else { continue }
      throw .version(file: file, field: field, found: found, known: known)
    }
    do throws(JSONError) {
      try self.init(bytes)
    } catch {
      throw .invalid(file: file, problem: "at byte \(error.offset): \(error.problem)")
    }
    formatVersion = versions["formatVersion"] ?? Self.currentFormatVersion
    layoutVersion = versions["layoutVersion"] ?? Self.currentLayoutVersion
  }

  private init(_ bytes: [UInt8]) throws(JSONError) {
    var manifest = PackManifest(
      writer: "", placement: .shard, nodeCount: 0, copies: false, alignment: 0, chunkByteCount: 0, source: [], gapByteCount: 0,
      blobs: [], tensors: [])
    let fields = [
      "alignment", "blobs", "chunkByteCount", "copies", "gapByteCount", "nodeCount", "placement", "source", "tensors", "writer",
    ]
    try JSONReader.document(bytes, requiring: fields) { (json, name) throws(JSONError) in
      switch name {
      case "alignment": manifest.alignment = try json.integer()
      case "blobs": manifest.blobs = try json.array(of: Blob.read)
      case "chunkByteCount": manifest.chunkByteCount = try json.integer()
      case "copies": manifest.copies = try json.bool()
      case "gapByteCount": manifest.gapByteCount = try json.integer()
      case "nodeCount": manifest.nodeCount = try json.integer()
      case "placement": manifest.placement = try json.value("a placement", Placement.init)
      case "source": manifest.source = try json.array(of: SourcePart.read)
      case "tensors": manifest.tensors = try json.array(of: PackTensor.read)
      case "writer": manifest.writer = try json.string()
      default: try json.skip()
      }
    }
    self = manifest
  }
}

extension PackManifest.SourcePart {
  fileprivate static func read(_ json: inout JSONReader) throws(JSONError) -> Self {
    var part = Self(name: "", byteCount: 0, headerByteCount: 0)
    try json.object(requiring: ["byteCount", "headerByteCount", "name"]) { (json, name) throws(JSONError) in
      switch name {
      case "byteCount": part.byteCount = try json.integer()
      case "headerByteCount": part.headerByteCount = try json.integer()
      case "name": part.name = try json.string()
      default: try json.skip()
      }
    }
    return part
  }
}

extension PackManifest.Blob {
  fileprivate static func read(_ json: inout JSONReader) throws(JSONError) -> Self {
    var blob = Self(file: "", byteCount: 0, node: nil, digest: Digest(of: []), chunks: [])
    try json.object(requiring: ["byteCount", "chunks", "digest", "file"]) { (json, name) throws(JSONError) in
      switch name {
      case "byteCount": blob.byteCount = try json.integer()
      case "chunks": blob.chunks = try json.array(of: Digest.read)
      case "digest": blob.digest = try Digest.read(&json)
      case "file": blob.file = try json.string()
      case "node": blob.node = try json.integer()
      case "storage": blob.storage = try BlobStorage.read(&json)
      default: try json.skip()
      }
    }
    return blob
  }
}

extension Digest {
  fileprivate static func read(_ json: inout JSONReader) throws(JSONError) -> Digest {
    try json.value("a digest of 32 hexadecimal digits", Digest.init(hex:))
  }
}

extension BlobStorage {
  fileprivate static func read(_ json: inout JSONReader) throws(JSONError) -> BlobStorage {
    var storage = BlobStorage(frameByteCount: 0, segments: [])
    try json.object(requiring: ["frameByteCount", "segments"]) { (json, name) throws(JSONError) in
      switch name {
      case "frameByteCount": storage.frameByteCount = try json.integer()
      case "segments": storage.segments = try json.array(of: Segment.read)
      default: try json.skip()
      }
    }
    return storage
  }
}

extension BlobStorage.Segment {
  fileprivate static func read(_ json: inout JSONReader) throws(JSONError) -> Self {
    var segment = Self(byteCount: 0, encoding: .raw, frames: [])
    try json.object(requiring: ["byteCount", "encoding", "frames"]) { (json, name) throws(JSONError) in
      switch name {
      case "byteCount": segment.byteCount = try json.integer()
      case "encoding": segment.encoding = try json.value("an encoding", BlobStorage.Encoding.init)
      case "frames": segment.frames = try json.array { (json) throws(JSONError) in try json.integer() }
      default: try json.skip()
      }
    }
    return segment
  }
}

extension PackTensor {
  fileprivate static func read(_ json: inout JSONReader) throws(JSONError) -> Self {
    var tensor = Self(name: "", type: .f32, dimensions: [], part: 0, slices: [])
    try json.object(requiring: ["dimensions", "name", "part", "slices", "type"]) { (json, name) throws(JSONError) in
      switch name {
      case "dimensions": tensor.dimensions = try json.array { (json) throws(JSONError) in try json.integer() }
      case "name": tensor.name = try json.string()
      case "part": tensor.part = try json.integer()
      case "slices": tensor.slices = try json.array(of: TensorSlice.read)
      case "type": tensor.type = try json.value("a weight type", WeightType.init(name:))
      default: try json.skip()
      }
    }
    return tensor
  }
}

extension TensorSlice {
  fileprivate static func read(_ json: inout JSONReader) throws(JSONError) -> Self {
    var slice = Self(blob: 0, layout: .gguf, offset: 0, byteCount: 0, expertStride: 0, rowBegin: 0, rowCount: 0)
    let fields = ["blob", "byteCount", "expertStride", "layout", "offset", "rowBegin", "rowCount"]
    try json.object(requiring: fields) { (json, name) throws(JSONError) in
      switch name {
      case "blob": slice.blob = try json.integer()
      case "byteCount": slice.byteCount = try json.integer()
      case "expertStride": slice.expertStride = try json.integer()
      case "layout": slice.layout = try json.value("a layout", Layout.init)
      case "offset": slice.offset = try json.integer()
      case "rowBegin": slice.rowBegin = try json.integer()
      case "rowCount": slice.rowCount = try json.integer()
      default: try json.skip()
      }
    }
    return slice
  }
}

// MARK: Writing

extension PackManifest {
  /// The manifest as the JSON text of `pack.json`: members sorted by name, without white space.
  package var json: [UInt8] {
    let document: JSONValue = [
      "alignment": .int(alignment), "blobs": .array(blobs.map(\.json)), "chunkByteCount": .int(chunkByteCount),
      "copies": .bool(copies), "formatVersion": .int(formatVersion), "gapByteCount": .int(gapByteCount),
      "layoutVersion": .int(layoutVersion), "nodeCount": .int(nodeCount), "placement": .string(placement.rawValue),
      "source": .array(source.map(\.json)), "tensors": .array(tensors.map(\.json)), "writer": .string(writer),
    ]
    return Array((document.compact + "\n").utf8)
  }
}

extension PackManifest.SourcePart {
  fileprivate var json: JSONValue {
    ["byteCount": .int(byteCount), "headerByteCount": .int(headerByteCount), "name": .string(name)]
  }
}

extension PackManifest.Blob {
  fileprivate var json: JSONValue {
    var members: [(String, JSONValue)] = [
      ("byteCount", .int(byteCount)), ("chunks", .array(chunks.map { .string($0.hex) })), ("digest", .string(digest.hex)),
      ("file", .string(file)),
    ]
    if let node { members.append(("node", .int(node))) }
    if let storage { members.append(("storage", storage.json)) }
    return .object(JSONObject(members))
  }
}

extension BlobStorage {
  fileprivate var json: JSONValue { ["frameByteCount": .int(frameByteCount), "segments": .array(segments.map(\.json))] }
}

extension BlobStorage.Segment {
  fileprivate var json: JSONValue {
    ["byteCount": .int(byteCount), "encoding": .string(encoding.rawValue), "frames": .array(frames.map { .int($0) })]
  }
}

extension PackTensor {
  fileprivate var json: JSONValue {
    [
      "dimensions": .array(dimensions.map { .int($0) }), "name": .string(name), "part": .int(part),
      "slices": .array(slices.map(\.json)), "type": .string(type.name),
    ]
  }
}

extension TensorSlice {
  fileprivate var json: JSONValue {
    [
      "blob": .int(blob), "byteCount": .int(byteCount), "expertStride": .int(expertStride), "layout": .string(layout.rawValue),
      "offset": .int(offset), "rowBegin": .int(rowBegin), "rowCount": .int(rowCount),
    ]
  }
}

extension JSONValue {
  fileprivate static func int(_ value: Int) -> JSONValue { .integer(Int128(value)) }
}
