// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUFWriting
import TestSupport
import Testing

@testable import GGUF

@Suite("Opening models")
struct GGUFModelTests {
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

  @Test("The reader reads what the writer writes", arguments: [UInt32(2), 3])
  func roundTrip(version: UInt32) throws {
    try withTemporaryFolder { folder in
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
    try withTemporaryFolder { folder in
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

  @Test("A boolean is true unless its byte is 0", arguments: [UInt8(0), 1, 2, 255])
  func booleans(byte: UInt8) throws {
    var file = RawGGUF(keys: 2)
    file.key("one", type: 7)
    file.raw([byte])
    file.key("three", type: 9)
    file.integer(UInt32(7))
    file.integer(UInt64(3))
    file.raw([0, byte, 1])
    let header = try GGUFHeader.parse(file.bytes.span.bytes, file: "booleans")
    #expect(header.metadata.bool("one") == (byte != 0))
    #expect(header.metadata.bools("three") == [false, byte != 0, true])
  }

  @Test(
    "A tensor without elements is read, whatever follows it",
    arguments: [[0], [0, 3], [4, 0], [32, 2, 0], [0, 0, 0, 0]] as [[Int64]], [0, 1])
  func withoutElements(dimensions: [Int64], place: UInt64) throws {
    try withTemporaryFolder { folder in
      var file = RawGGUF(tensors: 2)
      if place == 0 { file.tensor("empty", dimensions) }
      file.tensor("t", [32])
      if place == 1 { file.tensor("empty", dimensions, offset: 128) }
      file.data(128)
      let path = folder + "/model.gguf"
      try Data(file.bytes).write(to: URL(filePath: path))
      let model = try GGUFModel.open(path)
      let empty = try #require(model.tensors.first { $0.info.name == "empty" }?.info)
      #expect(empty.byteCount == 0 && empty.dimensions.contains(0))
      #expect(model.tensors.first { $0.info.name == "t" }?.info.offset == 0)
    }
  }

  @Test("Opening a folder opens the one model in it, whether in one file or in parts")
  func folders() throws {
    try withTemporaryFolder { folder in
      #expect(throws: GGUFError.folder(path: folder, modelCount: 0)) { try GGUFModel.open(folder) }
      let parts = try sample.writeSplit(prefix: folder + "/m", tensorCounts: [1, 2]) {
        [UInt8](repeating: 0, count: [432, 20, 544][$0])
      }
      #expect(try GGUFModel.open(folder).parts.map(\.path) == parts)
      #expect(try GGUFModel.open(parts[1]).basePath == folder + "/m")
      try sample.write(to: folder + "/other.gguf") { [UInt8](repeating: 0, count: [432, 20, 544][$0]) }
      #expect(try GGUFModel.open(folder + "/other.gguf").basePath == folder + "/other")
      let error = #expect(throws: GGUFError.self) { try GGUFModel.open(folder) }
      #expect(error?.description == "\(folder): this folder holds 2 models; give the path of one of them")
    }
  }
}
