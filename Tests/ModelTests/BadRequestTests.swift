// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Inference

@Suite("Requests that a model refuses")
struct BadRequestTests {
  private func model() throws -> Model {
    var options = ModelOptions()
    options.contextLength = 16
    return try PackedModel(Oracles.tinyFile("llama.Q8_0.gguf").path).model(options: options)
  }

  @Test("A model refuses more tokens than the context holds", .enabled(if: Oracles.folder != nil, Oracles.absence))
  func contextFull() throws {
    let model = try model()
    #expect(throws: ModelError.contextFull(tokens: 17, contextLength: 16)) {
      try model.append(Array(repeating: 1, count: 17)) { _, _ in }
    }
    // Nothing was computed, so there is still room for sixteen.
    try model.append(Array(repeating: 1, count: 16)) { _, _ in }
    #expect(model.length(of: 0) == 16)
    #expect(throws: ModelError.contextFull(tokens: 17, contextLength: 16)) { try model.append([1]) { _, _ in } }
  }

  @Test(
    "A model refuses unknown tokens", .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: [-1, 512, .max] as [Int32])
  func unknownToken(_ token: Int32) throws {
    let model = try model()
    #expect(throws: ModelError.tokenOutOfRange(token: Int(token), vocabularySize: 512)) {
      try model.append([1, token]) { _, _ in }
    }
    #expect(model.length(of: 0) == 0)
  }
}
