// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUFWriting
import TestSupport
import Testing

@testable import GGUF

@Suite("Alignment")
struct AlignmentTests {
  /// Two tensors of 20 and 136 bytes, with keys that make the header end well before its padding does.
  private func sample(declared: UInt32?, padding: Int?) -> GGUFWriter {
    var writer = GGUFWriter()
    if let declared { writer.metadata["general.alignment"] = .uint32(declared) }
    writer.paddingOverride = padding
    writer.tensors = [.init(name: "a", type: .f32, dimensions: [5]), .init(name: "b", type: .q8_0, dimensions: [32, 4])]
    return writer
  }

  private func data(_ index: Int) -> [UInt8] { [UInt8](repeating: UInt8(index + 1), count: index == 0 ? 20 : 136) }

  /// Returns the bytes of the tensors at the places that the header gives.
  private func contents(of path: String, _ model: GGUFModel) throws -> [[UInt8]] {
    let file = try Data(contentsOf: URL(filePath: path))
    return model.tensors.map { tensor in
      let start = model.parts[0].header.dataOffset + tensor.info.offset
      return [UInt8](file[start..<start + tensor.info.byteCount])
    }
  }

  @Test(
    "Data is found where the writer padded it to, whatever the key says",
    arguments: [nil, 1, 8, 32, 64, 4096] as [UInt32?], [nil, 32] as [Int?])
  func padding(declared: UInt32?, padding: Int?) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/model.gguf"
      try sample(declared: declared, padding: padding).write(to: path, data: data)
      let model = try GGUFModel.open(path)
      #expect(model.parts[0].header.alignment == padding ?? Int(declared ?? 32))
      #expect(try contents(of: path, model) == [data(0), data(1)])
    }
  }

  @Test("If the offsets fit both paddings, the file's size distinguishes them", arguments: [32, 4096], [true, false])
  func single(padding: Int, padsEnd: Bool) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/model.gguf"
      var writer = sample(declared: 4096, padding: padding)
      writer.tensors.removeLast()
      try writer.write(to: path, data: data)
      if !padsEnd { #expect(truncate(path, off_t(try writer.header().count + 20)) == 0) }
      let model = try GGUFModel.open(path)
      #expect(model.parts[0].header.alignment == padding)
      #expect(try contents(of: path, model) == [data(0)])
    }
  }

  @Test("A file that is cut short is not mistaken for one with the other padding")
  func cutShort() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/model.gguf"
      var writer = sample(declared: 4096, padding: nil)
      writer.tensors.removeLast()
      try writer.write(to: path, data: data)
      #expect(truncate(path, 4096 + 19) == 0)
      let error = #expect(throws: GGUFError.self) { try GGUFModel.open(path) }
      #expect(error == .truncated(file: path, offset: 4096, what: "the data of 'a'", needed: 20, left: 19))
    }
  }

  @Test("A file without tensors may end where its keys do")
  func noTensors() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/vocabulary.gguf"
      var writer = GGUFWriter()
      writer.metadata["general.architecture"] = .text("llama")
      try writer.write(to: path, data: data)
      let padded = try GGUFModel.open(path)
      #expect(truncate(path, off_t(padded.parts[0].header.byteCount)) == 0)
      let bare = try GGUFModel.open(path)
      #expect(bare.tensors.isEmpty && bare.parts[0].header == padded.parts[0].header)
    }
  }
}
