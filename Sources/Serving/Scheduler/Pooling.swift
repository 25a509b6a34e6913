// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// How the hidden states of a text's tokens become its embedding.
public enum Pooling: String, Sendable, CaseIterable {
  /// The mean of all tokens' hidden states.
  case mean
  /// The last token's hidden state.
  case last

  /// Reads what a model's file asks for by the key `{architecture}.pooling_type`, whose numbers are llama.cpp's: the mean where it asks
  /// for nothing.
  ///
  /// - Throws: A way to pool that is not available, by its name.
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

/// The hidden states of a text's tokens on their way to become its embedding.
struct StatePool {
  private let pooling: Pooling
  /// In double precision and added in the tokens' order, so that no result depends on how a text is cut into steps.
  private var sums: [Double] = []

  init(_ pooling: Pooling) { self.pooling = pooling }

  /// Takes the next token's hidden state.
  mutating func add(_ state: Span<Float>) {
    if sums.isEmpty { sums = Array(repeating: 0, count: state.count) }
    switch pooling {
    case .mean: for index in state.indices { sums[index] += Double(state[index]) }
    case .last: for index in state.indices { sums[index] = Double(state[index]) }
    }
  }

  /// The embedding, of length 1 (or 0, if all hidden states are 0); nil if the model computed something else than numbers.
  ///
  /// A sum points where the mean does.
  var embedding: [Float]? {
    let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
    guard length.isFinite, !sums.isEmpty else { return nil }
    return sums.map { Float(length > 0 ? $0 / length : 0) }
  }
}
