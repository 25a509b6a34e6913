// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import Inference

/// How well a model predicts a text, over the chunks that were judged so far.
///
/// As llama-perplexity does it: the second half of each chunk is judged.
public struct Evaluation {
  /// The model.
  public let model: Model
  /// The token that each chunk begins with in the place of its first; nil: none.
  public let begin: Int32?
  /// Of the tokens that were judged, minus the natural logarithm of the probability that the model gave them.
  public private(set) var negativeLogLikelihood = MeanWithError()
  /// The Kullback-Leibler divergences from the reference's predictions, in nats.
  public private(set) var divergence = MeanWithError()
  /// The largest of them.
  public private(set) var largestDivergence = 0.0

  /// Nothing judged yet.
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
  ///   - offset: How many tokens of the text come before it.
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
  /// Another model's.
  case model(Model)
  /// A file's.
  case file(LogitsFile)

  /// Hands the logits of a chunk's positions from `first` to `body`.
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
