// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import PackFormat
import TestSupport
import Testing

func contents(_ path: String) throws -> Data { try Data(contentsOf: URL(filePath: path)) }

/// Models for the tests.
enum TestModels {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The oracles beside the checkout, or where GGUFPACK_SHARED says; nil if there are none.
  static let shared: URL? = {
    let places = [
      ProcessInfo.processInfo.environment["GGUFPACK_SHARED"].map { URL(filePath: $0) }, root.appending(path: "../shared"),
    ]
    return places.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0.appending(path: "oracles").path) }
  }()

  static func ggufs(in folder: URL?) -> [String] {
    guard let folder, let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else { return [] }
    return names.filter { $0.hasSuffix(".gguf") }.sorted().map { folder.appending(path: $0).path }
  }

  static let oracles = ["tiny", "ik"].flatMap { ggufs(in: shared?.appending(path: "oracles/\($0)")) }
  static let vocabularies = ggufs(in: shared?.appending(path: "oracles/vocab"))
  static let fixtures = ggufs(in: root.appending(path: "fixtures"))

  /// Writes a model with a matrix, a stack of experts and a vector of every given type, all random and with odd shapes.
  static func write(_ types: [WeightType], to path: String, seed: UInt64, rows: [Int] = [1, 15, 16, 33, 50]) throws {
    var writer = GGUFWriter()
    var random = SplitMix64(seed: seed)
    writer.metadata["general.architecture"] = .text("llama")
    for type in types {
      func whole(_ rowCount: Int) -> Int { (rowCount + type.groupRows - 1) / type.groupRows * type.groupRows }
      for rowCount in Set(rows.map(whole)).sorted() {
        let blocks = 1 + random.next(below: 7)
        writer.tensors.append(
          .init(name: "\(type.name).\(rowCount)", type: type, dimensions: [blocks * type.blockElements, rowCount]))
      }
      writer.tensors.append(.init(name: "\(type.name).experts", type: type, dimensions: [type.blockElements * 5, whole(37), 3]))
      writer.tensors.append(.init(name: "\(type.name).four", type: type, dimensions: [type.blockElements, 16, 2, 2]))
      if type.groupRows == 1 {
        writer.tensors.append(.init(name: "\(type.name).vector", type: type, dimensions: [type.blockElements * 3]))
      }
    }
    let tensors = writer.tensors
    try writer.write(to: path) { index in
      let tensor = tensors[index]
      let rows = tensor.dimensions.dropFirst().reduce(1, *)
      return random.bytes((tensor.type.byteCount(elements: tensor.dimensions[0]) ?? 0) * rows)
    }
  }
}
