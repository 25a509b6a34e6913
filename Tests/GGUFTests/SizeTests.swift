// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUFWriting
import TestSupport
import Testing

@testable import GGUF

@Suite("Large files")
struct SizeTests {
  @Test("Tensors over 4 GiB, and offsets beyond them, are read correctly")
  func largeTensors() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/large.gguf"
      var writer = GGUFWriter()
      writer.tensors = [
        .init(name: "huge", type: .f32, dimensions: [65536, 32768]),
        .init(name: "experts", type: .q4_K, dimensions: [8192, 4096, 300]),
        .init(name: "last", type: .f32, dimensions: [3]),
      ]
      // The data is not written; it reads as zeros.
      try Data(writer.header()).write(to: URL(filePath: path))
      #expect(truncate(path, off_t(try writer.fileByteCount())) == 0)
      let model = try GGUFModel.open(path)
      let experts = 8192 / 256 * 144 * 4096 * 300
      #expect(model.tensors.map(\.info.byteCount) == [8 << 30, experts, 12])
      #expect(model.tensors.map(\.info.offset) == [0, 8 << 30, 8 << 30 + experts])
      #expect(model.tensors[1].info.expertCount == 300)
      #expect(model.parts[0].byteCount == model.parts[0].header.dataOffset + 8 << 30 + experts + 32)

      #expect(truncate(path, off_t(model.parts[0].byteCount - 32)) == 0)
      let error = #expect(throws: GGUFError.self) { try GGUFModel.open(path) }
      #expect(error?.description.contains("the data of 'last' takes 12 bytes, but the file ends after 0") == true)
    }
  }

  @Test("A vocabulary of 262144 tokens is read quickly, whatever bytes its tokens have")
  func largeVocabulary() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/vocabulary.gguf"
      let tokens = (0..<262_144).map { index in [0xc3] + Array("token \(index)".utf8) }
      var writer = GGUFWriter()
      writer.metadata["tokenizer.ggml.tokens"] = .array(MetadataArray(byteStrings: tokens))
      writer.metadata["tokenizer.ggml.scores"] = .array(MetadataArray(floats: (0..<262_144).map { -Float($0) }))
      writer.metadata["after"] = .text("them")
      try writer.write(to: path) { _ in [] }

      let clock = ContinuousClock()
      var model: GGUFModel?
      let fastest = try (0..<3).map { _ in try clock.measure { model = try GGUFModel.open(path) } }.min()
      #if DEBUG
        let limit = Duration.seconds(2)
      #else
        let limit = Duration.milliseconds(100)
      #endif
      #expect(try #require(fastest) < limit)

      let metadata = try #require(model?.metadata)
      let read = try #require(metadata.byteStrings("tokenizer.ggml.tokens"))
      #expect(read.count == tokens.count)
      #expect(read.elementsEqual(tokens) { Array($0) == $1 })
      #expect(metadata.strings("tokenizer.ggml.tokens") == nil, "these tokens are not UTF-8")
      #expect(metadata.floats("tokenizer.ggml.scores")?.last == -262_143)
      #expect(metadata.string("after") == "them")
    }
  }
}
