// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import Inference

/// Measures how well a model predicts a text, over the chunks added so far.
///
/// Like llama-perplexity, it judges the second half of each chunk.
public struct Evaluation {
  /// The model.
  public let model: Model
  /// The token that replaces the first one of each chunk; nil: none.
  public let begin: Int32?
  /// The mean, over the tokens judged, of the negative natural logarithm of the probability that the model gave them.
  public private(set) var negativeLogLikelihood = MeanWithError()
  /// The mean Kullback-Leibler divergence from the reference's predictions, in nats.
  public private(set) var divergence = MeanWithError()
  /// The largest divergence.
  public private(set) var largestDivergence = 0.0

  /// Makes an evaluation of nothing so far.
  public init(_ model: Model, begin: Int32?) {
    self.model = model
    self.begin = begin
  }

  /// The perplexity: e to the mean negative log-likelihood.
  public var perplexity: Double { exp(negativeLogLikelihood.mean) }

  /// Judges the second half of a chunk.
  ///
  /// - Parameters:
  ///   - tokens: The chunk, at least two tokens.
  ///   - offset: The number of tokens in the text before the chunk.
  ///   - reference: What the predictions are compared with; nil: nothing.
  public mutating func add(_ tokens: [Int32], offset: Int, _ reference: ReferenceLogits? = nil) throws(ModelError) {
    var input = tokens
    if let begin { input[0] = begin }
    let first = max(0, min(tokens.count / 2, tokens.count - 2))
    var kept: [[Float]] = []
    model.truncate(0, to: 0)
    try model.read(input, logitsFrom: first) { _, logits in kept.append(logits.indices.map { logits[$0] }) }
    for (index, row) in kept.enumerated() where first + index + 1 < tokens.count {
      let logs = LogProbabilities(row.span)
      negativeLogLikelihood.add(-logs[Int(tokens[first + index + 1])])
    }
    guard let reference else { return }
    var values: [Double] = []
    try reference.read(input, offset: offset, first: first) { position, logits in
      let own = kept[position - first]
      values.append(LogProbabilities(own.span).divergence(from: LogProbabilities(logits)))
    }
    for value in values {
      divergence.add(value)
      largestDivergence = max(largestDivergence, value)
    }
  }
}

/// What a model's predictions are compared with.
public enum ReferenceLogits {
  /// The predictions of another model.
  case model(Model)
  /// The logits in a file.
  case file(LogitsFile)

  /// Hands the logits of a chunk's positions, from `first` on, to `body`.
  func read(
    _ chunk: [Int32], offset: Int, first: Int, _ body: (_ position: Int, _ logits: Span<Float>) -> Void
  ) throws(ModelError) {
    switch self {
    case .model(let model):
      model.truncate(0, to: 0)
      try model.read(chunk, logitsFrom: first, body)
    case .file(let file):
      for index in first..<chunk.count {
        let row = try file.row(offset + index)
        body(index, row.span)
      }
    }
  }
}
