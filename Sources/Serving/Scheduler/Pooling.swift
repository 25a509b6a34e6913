// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// How the hidden states of a text's tokens become its embedding.
public enum Pooling: String, Sendable, CaseIterable {
  /// The mean of all hidden states.
  case mean
  /// The hidden state of the last token.
  case last

  /// Reads the key `{architecture}.pooling_type` of a model, with llama.cpp's numbers. Without the key, the mean is used.
  ///
  /// - Throws: `InterfaceError.unsupported`, which names the requested pooling, if it is not available.
  public init(_ metadata: GGUFMetadata) throws(InterfaceError) {
    let key = "\(metadata.string("general.architecture") ?? "").pooling_type"
    guard let value = metadata[key] else {
      self = .mean
      return
    }
    switch value.integer {
    case 0, 1: self = .mean
    case 3: self = .last
    case let number:
      let name = [2: " (the first token's state)", 4: " (a rank)"][number ?? -1] ?? ""
      throw .unsupported(
        field: "model",
        problem: """
          its file asks for embeddings by \(key) = \(number.map { "\($0)" } ?? "something that is not a number")\(name), which is not \
          available; packserve's option --pooling chooses mean or last
          """)
    }
  }
}

/// The hidden states of a text's tokens while they are pooled to its embedding.
struct StatePool {
  private let pooling: Pooling
  /// The sums, in double precision and added in the order of tokens, so that results do not depend on how a text is divided into
  /// steps.
  private var sums: [Double] = []

  init(_ pooling: Pooling) { self.pooling = pooling }

  /// Adds the next token's hidden state.
  mutating func add(_ state: Span<Float>) {
    if sums.isEmpty { sums = Array(repeating: 0, count: state.count) }
    switch pooling {
    case .mean: for index in state.indices { sums[index] += Double(state[index]) }
    case .last: for index in state.indices { sums[index] = Double(state[index]) }
    }
  }

  /// The embedding, of length 1 (or 0, if all hidden states are 0); nil if some hidden state was not finite.
  ///
  /// The sum can stand for the mean, because both have the same direction.
  var embedding: [Float]? {
    let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
    guard length.isFinite, !sums.isEmpty else { return nil }
    return sums.map { Float(length > 0 ? $0 / length : 0) }
  }
}
