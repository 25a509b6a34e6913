// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import PackFormat
import Repack

/// A pack of a small model in a folder of its own, for tests to damage.
struct SmallPack {
  let path: String

  /// Makes a pack, gives it to `body`, and removes it.
  static func with(_ options: PackOptions, compressed: Bool = false, _ body: (SmallPack) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "pack-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var writer = GGUFWriter()
    writer.metadata["general.architecture"] = .text("llama")
    writer.tensors = [
      .init(name: "first", type: .q8_0, dimensions: [256, 50]), .init(name: "experts", type: .q4_K, dimensions: [512, 33, 3]),
      .init(name: "norm", type: .f32, dimensions: [256]), .init(name: "last", type: .iq2_xs, dimensions: [512, 48]),
    ]
    let tensors = writer.tensors
    try writer.write(to: folder + "/model.gguf") { index in
      let tensor = tensors[index]
      let rows = tensor.dimensions.dropFirst().reduce(1, *)
      let count = (tensor.type.byteCount(elements: tensor.dimensions[0]) ?? 0) * rows
      return (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7 &* 31 &+ index) }
    }
    let model = try GGUFModel.open(folder + "/model.gguf")
    var converter = PackConverter(model, plan: try PackPlan(model, options: options))
    if compressed { converter.compressionLevel = 3 }
    try converter.run(to: folder + "/model.pack")
    try body(SmallPack(path: folder + "/model.pack"))
  }

  func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path + "/" + name))) }

  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(filePath: path + "/" + name))
  }

  /// Writes `pack.json` and updates its digest, so that the content is read.
  func writeManifest(_ bytes: [UInt8]) throws {
    try write(bytes, to: Pack.FileName.manifest)
    try sign(Pack.FileName.manifest, bytes)
  }

  /// Sets the digest of the file `name` in the list of digests to that of `bytes`.
  func sign(_ name: String, _ bytes: [UInt8]) throws {
    let text = String(decoding: try self.bytes(Checksums.fileName), as: UTF8.self)
    var digests = try Checksums(text: text, file: Checksums.fileName).digests
    digests[name] = Digest(of: bytes)
    try write(Array(Checksums(digests).text.utf8), to: Checksums.fileName)
  }

  /// Changes a value of the manifest at a place such as `tensors.0.slices.1.offset`.
  func change(_ place: String, to value: Any?) throws {
    let document = try JSONSerialization.jsonObject(with: Data(try bytes(Pack.FileName.manifest)))
    let changed = Self.changed(document, place.split(separator: ".").map(String.init)[...], value)
    try writeManifest([UInt8](try JSONSerialization.data(withJSONObject: changed)))
  }

  private static func changed(_ node: Any, _ place: ArraySlice<String>, _ value: Any?) -> Any {
    guard let key = place.first else { return value ?? NSNull() }
    if var array = node as? [Any], let index = Int(key) {
      if place.count == 1 && value == nil {
        array.remove(at: index)
      } else {
        if index == array.count { array.append(NSNull()) }
        array[index] = changed(array[index], place.dropFirst(), value)
      }
      return array
    }
    var object = node as? [String: Any] ?? [:]
    if place.count == 1 && value == nil {
      object[key] = nil
    } else {
      object[key] = changed(object[key] ?? NSNull(), place.dropFirst(), value)
    }
    return object
  }
}
