// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUFWriting
import TestSupport
import Testing

@testable import GGUF

@Suite("Split models")
struct SplitTests {
  /// Writes three parts with 1, 0 and 2 tensors.
  private func writeSample(
    in folder: String, name: String = "model", prefix: String = "t", alignment: UInt32? = nil, tensors: Int = 3
  ) throws -> [String] {
    var writer = GGUFWriter()
    writer.metadata["general.architecture"] = .text("llama")
    if let alignment { writer.metadata["general.alignment"] = .uint32(alignment) }
    writer.tensors = (0..<tensors).map { .init(name: "\(prefix).\($0)", type: .f32, dimensions: [$0 + 1]) }
    return try writer.writeSplit(prefix: "\(folder)/\(name)", tensorCounts: [1, 0, tensors - 1]) { index in
      [UInt8](repeating: UInt8(index), count: 4 * (index + 1))
    }
  }

  private func error(opening path: String) throws -> String {
    try #require(#expect(throws: GGUFError.self) { try GGUFModel.open(path) }).description
  }

  private func move(_ from: String, _ to: String) throws {
    if FileManager.default.fileExists(atPath: to) { try FileManager.default.removeItem(atPath: to) }
    try FileManager.default.moveItem(atPath: from, toPath: to)
  }

  @Test("Opening any part finds all of them", arguments: 0..<3, [nil, 4096] as [UInt32?])
  func anyPart(number: Int, alignment: UInt32?) throws {
    try withTemporaryFolder { folder in
      let paths = try writeSample(in: folder, alignment: alignment)
      #expect(paths == (1...3).map { "\(folder)/model-0000\($0)-of-00003.gguf" })
      let model = try GGUFModel.open(paths[number])
      #expect(model.parts.map(\.path) == paths)
      #expect(model.tensors.map(\.info.name) == ["t.0", "t.1", "t.2"])
      #expect(model.tensors.map(\.part) == [0, 2, 2])
      #expect(model.metadata.string("general.architecture") == "llama")
      // The later parts lack the alignment key, but are padded all the same.
      #expect(model.parts.allSatisfy { $0.header.dataOffset % Int(alignment ?? 32) == 0 })
      for tensor in model.tensors {
        let part = model.parts[tensor.part]
        let file = try Data(contentsOf: URL(filePath: part.path))
        let start = part.header.dataOffset + tensor.info.offset
        #expect(file[start..<start + tensor.info.byteCount].allSatisfy { $0 == tensor.info.rowElements - 1 })
      }
    }
  }

  @Test("The committed pair opens by either file", arguments: ["00001", "00002"])
  func fixture(number: String) throws {
    let model = try GGUFModel.open("\(fixturesFolder)/llama-split-\(number)-of-00002.gguf")
    #expect(model.parts.count == 2)
    #expect(model.tensors.count == 11)
  }

  @Test("A missing part is named", arguments: 0..<3)
  func missing(number: Int) throws {
    try withTemporaryFolder { folder in
      let paths = try writeSample(in: folder)
      try FileManager.default.removeItem(atPath: paths[number])
      let message = try error(opening: paths[(number + 1) % 3])
      #expect(message == "\(paths[number]): part \(number + 1) of 3 is missing; put it beside the others")
    }
  }

  @Test("Swapped parts are named", arguments: 0..<3)
  func swapped(given: Int) throws {
    try withTemporaryFolder { folder in
      let paths = try writeSample(in: folder)
      try move(paths[1], "\(folder)/aside")
      try move(paths[2], paths[1])
      try move("\(folder)/aside", paths[2])
      let (path, name, keys) = given == 2 ? (paths[2], 3, 2) : (paths[1], 2, 3)
      #expect(
        try error(opening: paths[given])
          == "\(path): by its name this is part \(name) of 3, by its keys part \(keys) of 3; rename the parts as they were")
    }
  }

  @Test("A part of another model is named: its tensor count differs, or one of its tensors occurs twice")
  func foreign() throws {
    try withTemporaryFolder { folder in
      let paths = try writeSample(in: folder)
      let others = try writeSample(in: folder, name: "other", prefix: "o", tensors: 4)
      try move(others[2], paths[2])
      #expect(
        try error(opening: paths[0])
          == "\(paths[2]): part 3 is of a model with 4 tensors, part 1 of one with 3; put the parts of one model, and only those, into the folder"
      )
    }
    try withTemporaryFolder { folder in
      var writer = GGUFWriter()
      writer.tensors = ["a", "b", "a"].map { .init(name: $0, type: .f32, dimensions: [1]) }
      let paths = try writer.writeSplit(prefix: "\(folder)/model", tensorCounts: [2, 1]) { _ in [0, 0, 0, 0] }
      #expect(
        try error(opening: paths[1])
          == "\(paths[1]): the tensor 'a' is in part 1 already; put the parts of one model, and only those, into the folder")
    }
  }

  @Test("Parts are refused if their tensors are not as many as they state")
  func tensorCount() throws {
    try withTemporaryFolder { folder in
      let paths = try writeSample(in: folder)
      var writer = GGUFWriter()
      writer.tensors = ["a", "b", "c"].map { .init(name: $0, type: .f32, dimensions: [1]) }
      let others = try writer.writeSplit(prefix: "\(folder)/other", tensorCounts: [1, 1, 1]) { _ in [0, 0, 0, 0] }
      try move(others[2], paths[2])
      #expect(
        try error(opening: paths[2])
          == "\(paths[0]): split.tensors.count promises 3 tensors, but the parts hold 2; put the parts of one model, and only those, into the folder"
      )
    }
  }

  @Test("A whole model named like a part is named")
  func wholeModel() throws {
    try withTemporaryFolder { folder in
      let paths = try writeSample(in: folder)
      var writer = GGUFWriter()
      writer.metadata["general.architecture"] = .text("llama")
      try writer.write(to: paths[1]) { _ in [] }
      #expect(
        try error(opening: paths[0])
          == "\(paths[1]): by its name this is part 2 of 3, but its keys say nothing of a split; put the parts of one model, and only those, into the folder"
      )
    }
  }

  @Test("A renamed part is reported with the name that it must have")
  func renamed() throws {
    try withTemporaryFolder { folder in
      let paths = try writeSample(in: folder)
      try move(paths[1], "\(folder)/second.gguf")
      #expect(
        try error(opening: "\(folder)/second.gguf")
          == "\(folder)/second.gguf: this is part 2 of a split model, so its name must end in -00002-of-00003.gguf; rename the parts as they were"
      )
    }
  }

  @Test("A part is refused if it does not say which one it is, or gives an impossible count")
  func badKeys() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/model-00001-of-00003.gguf"
      var writer = GGUFWriter()
      writer.metadata["split.count"] = .uint16(3)
      try writer.write(to: path) { _ in [] }
      #expect(try error(opening: path).contains("this is part of a model split into 3, but its key split.no does not say which"))
      writer.metadata["split.count"] = .uint32(1 << 20)
      try writer.write(to: path) { _ in [] }
      #expect(try error(opening: path).contains("split.count is 1048576, more than the limit of 65535 parts"))
    }
  }

  @Test("A model in one part is not a split model")
  func single() throws {
    try withTemporaryFolder { folder in
      var writer = GGUFWriter()
      writer.metadata["split.count"] = .uint16(1)
      writer.metadata["split.no"] = .uint16(0)
      try writer.write(to: "\(folder)/any-name.gguf") { _ in [] }
      #expect(try GGUFModel.open("\(folder)/any-name.gguf").parts.count == 1)
    }
  }

  @Test(
    "A part's name has five digits, from 1 up to the count",
    arguments: [
      ("a-00001-of-00003.gguf", 0), ("folder/a-00003-of-00003.gguf", 2), ("a-00000-of-00003.gguf", nil),
      ("a-00004-of-00003.gguf", nil), ("a-0001-of-00003.gguf", nil), ("a-0000x-of-00003.gguf", nil), ("ä-+0001-of-00003.gguf", nil),
      ("a-00001-of-00003.bin", nil), ("gguf", nil), ("", nil),
    ])
  func names(path: String, number: Int?) {
    let name = SplitName(path: path)
    #expect(name?.number == number)
    if let name { #expect(name.path(name.number) == path) }
  }
}
