// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON
import Tokenization

/// A request to `/v1/embeddings`, as described by OpenAI: the pooled hidden states of texts.
public enum EmbeddingsRequest {
  /// The largest number of texts in one request.
  private static let inputLimit = 2048

  /// Reads the body of a request. Unknown fields are ignored.
  public static func read(_ body: JSONValue, _ pack: ServedPack) throws(InterfaceError) -> InterfaceRequest {
    let fields = try Fields(body)
    _ = try fields.string("model")
    let pooling = try pack.pooling.get()
    let format = try fields.string("encoding_format") ?? "float"
    guard ["float", "base64"].contains(format) else {
      throw .bad(field: "encoding_format", problem: "must be float or base64")
    }
    if let length = try fields.integer("dimensions", in: 1...1 << 30), length != pack.embeddingLength {
      throw .unsupported(
        field: "dimensions",
        problem: "embeddings of this model have \(pack.embeddingLength) numbers, and the model's file does not allow fewer")
    }
    let inputs = try fields.tokenLists(
      "input", pack.tokenizer, limit: inputLimit, allowsEmptyTexts: false,
      problem: "must be a text, an array of token ids, or an array of up to \(inputLimit) of these, none of them empty")
    let requests = inputs.map { input in
      var request = AnswerRequest(prompt: input)
      request.pooling = pooling
      return request
    }
    let encoder = EmbeddingsEncoder(pack, count: inputs.count, isBase64: format == "base64")
    return InterfaceRequest(requests: requests, encoder: encoder, isStreamed: false, isList: true)
  }
}

/// Writes embeddings in OpenAI's form.
struct EmbeddingsEncoder: AnswerEncoder {
  private let pack: ServedPack
  private let isBase64: Bool
  private var embeddings: [[Float]]
  private var tokens = 0

  init(_ pack: ServedPack, count: Int, isBase64: Bool) {
    (self.pack, self.isBase64) = (pack, isBase64)
    embeddings = Array(repeating: [], count: count)
  }

  mutating func begin() -> [ServerSentEvent] { [] }

  mutating func take(_ event: AnswerEvent, ofAnswer index: Int) -> [ServerSentEvent] {
    switch event {
    case .embedding(let embedding): embeddings[index] = embedding
    case .finished(let summary): tokens += summary.promptTokens
    case .started, .read, .token, .failed: break
    }
    return []
  }

  mutating func finish() -> [ServerSentEvent] { [] }

  func failure(_ error: InterfaceError) -> ServerSentEvent { ServerSentEvent(error.openAI) }

  var document: JSONValue {
    [
      "object": "list", "model": .string(pack.name), "system_fingerprint": pack.fingerprint,
      "data": .array(
        embeddings.enumerated().map { index, embedding in
          [
            "object": "embedding", "index": .integer(Int128(index)),
            "embedding": isBase64 ? .string(Self.base64(embedding)) : .array(embedding.map { .number(Self.shortest($0)) }),
          ]
        }),
      "usage": ["prompt_tokens": .integer(Int128(tokens)), "total_tokens": .integer(Int128(tokens))],
    ]
  }

  /// Returns the number with the fewest digits that still reads as the same float.
  private static func shortest(_ number: Float) -> Double { Double(number.description) ?? Double(number) }

  /// Returns the floats, little-endian, in base 64 (RFC 4648, section 4).
  static func base64(_ floats: [Float]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    let bytes = floats.flatMap { float in (0..<4).map { UInt8(truncatingIfNeeded: float.bitPattern >> (8 * UInt32($0))) } }
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let count = min(3, bytes.count - start)
      let group = (0..<3).reduce(0) { $0 << 8 | ($1 < count ? Int(bytes[start + $1]) : 0) }
      for place in 0..<4 { text.append(place <= count ? digits[group >> (18 - 6 * place) & 63] : UInt8(ascii: "=")) }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
