// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@testable import GGUF

@Suite("Opening models")
struct GGUFModelTests {
  /// A file in a temporary folder that goes when the test ends.
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "gguf-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  private var sample: GGUFWriter {
    var writer = GGUFWriter()
    writer.metadata["general.architecture"] = .text("llama")
    writer.metadata["some.floats"] = .array(MetadataArray(floats: [1, -2.5]))
    writer.metadata["some.strings"] = .array(MetadataArray(strings: ["a", "", "äöü"]))
    writer.metadata["some.integer"] = .uint64(7)
    writer.tensors = [
      .init(name: "first", type: .q4_K, dimensions: [256, 3]),
      .init(name: "second", type: .f32, dimensions: [5]),
      .init(name: "experts", type: .q8_0, dimensions: [64, 2, 4]),
    ]
    return writer
  }

  @Test("What the writer writes the reader reads", arguments: [UInt32(2), 3])
  func roundTrip(version: UInt32) throws {
    try withFolder { folder in
      var writer = sample
      writer.version = version
      let sizes = [144 * 3, 20, 34 * 2 * 2 * 4]
      try writer.write(to: folder + "/model.gguf") { [UInt8](repeating: UInt8($0), count: sizes[$0]) }
      let model = try GGUFModel.open(folder + "/model.gguf")
      #expect(model.parts.count == 1)
      #expect(model.parts[0].header.version == Int(version))
      #expect(model.metadata == writer.metadata)
      #expect(model.metadata.strings("some.strings") == ["a", "", "äöü"])
      #expect(model.metadata.floats("some.floats") == [1, -2.5])
      #expect(model.metadata.integer("some.integer") == 7)
      #expect(model.tensors.map(\.info.name) == ["first", "second", "experts"])
      #expect(model.tensors.map(\.info.byteCount) == sizes)
      #expect(model.tensors.map(\.info.offset) == [0, 448, 480])
      #expect(model.tensors[2].info.expertCount == 4)
    }
  }

  @Test("A file that is cut short is refused with the place and what is missing")
  func cutShort() throws {
    try withFolder { folder in
      let path = folder + "/model.gguf"
      try sample.write(to: path) { [UInt8](repeating: 0, count: [144 * 3, 20, 544][$0]) }
      let whole = try Data(contentsOf: URL(filePath: path))
      for length in [3, 20, 60, whole.count - 1] {
        try whole.prefix(length).write(to: URL(filePath: path))
        #expect {
          try GGUFModel.open(path)
        } throws: { error in
          "\(error)".hasPrefix(path + ": at byte ") && "\(error)".contains("cut short")
        }
      }
    }
  }
}
