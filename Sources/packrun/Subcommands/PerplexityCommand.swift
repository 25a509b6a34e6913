// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Generation
import Glibc
import Inference
import Tokenization

/// `packrun perplexity`: how well a model predicts a text.
struct PerplexityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "perplexity", abstract: "Measure how well a model predicts a text.",
    discussion: """
      As llama-perplexity: the text is cut into chunks of the context's length (--ctx, 512 if not given), each begins with the \
      begin-of-text token if the model has one, and the second half of each is judged. Logits in a file have seen the whole text, so \
      with them it is one chunk. Another pack is run with --kv f16: the pack itself shows what --kv q8_0 costs.
      """)

  @OptionGroup var model: ModelArguments

  @Option(name: .shortAndLong, help: "The text; - is standard input.", completion: .file())
  var file: String

  @Option(
    help:
      "Also print the Kullback-Leibler divergence from this pack's predictions, or from a file that `packrun logits` wrote for this text's tokens."
  )
  var kl: String?

  @Option(help: "Chunks at most.")
  var chunks: Int?

  func run() throws {
    try reportingErrors {
      let pack = try model.open()
      let tokenizer = try Tokenizer(metadata: pack.metadata)
      let tokens = tokenizer.encode(try TextInput.read(file), addSpecial: true, parseSpecial: false)
      guard tokens.count >= 2 else {
        throw InputError(description: "\(file): too short: \(tokens.count) tokens, at least 2 are needed")
      }
      let length = try chunkLength(tokens.count)
      var arguments = model
      arguments.context = length
      let session = try arguments.session(pack, readsAllLogits: true)
      let reference = try kl.map {
        try Reference($0, arguments, vocabularySize: session.model.vocabularySize, tokens: tokens.count)
      }
      let count = min(chunks ?? .max, tokens.count / length)
      var evaluation = Evaluation(session.model, begin: tokenizer.addsBeginOfText ? tokenizer.beginOfText : nil)
      for chunk in 0..<max(count, 1) {
        let part = Array(tokens[chunk * length..<(chunk + 1) * length])
        try evaluation.add(part, offset: chunk * length, reference)
        Terminal.print("[\(chunk + 1)]\(fixed(exp(evaluation.negativeLogLikelihood.mean), 4)),")
      }
      let likelihood = evaluation.negativeLogLikelihood
      let perplexity = exp(likelihood.mean)
      Terminal.print("\nFinal estimate: PPL = \(fixed(perplexity, 4)) +/- \(fixed(perplexity * likelihood.error, 5))\n")
      if reference != nil {
        let divergence = evaluation.divergence
        Terminal.print("Mean KL divergence = \(divergence.mean) +/- \(divergence.error), largest \(evaluation.largestDivergence)\n")
      }
    }
  }
}

extension PerplexityCommand {
  /// Tokens of a chunk.
  private func chunkLength(_ tokens: Int) throws -> Int {
    guard let kl, !Reference.isPack(kl) else { return min(model.context ?? 512, tokens) }
    if let context = model.context, context < tokens {
      throw InputError(description: "--ctx \(context): logits in a file are of the whole text, \(tokens) tokens; leave --ctx out")
    }
    return tokens
  }
}

/// What predictions are held against: another pack's model, or logits in a file.
final class Reference {
  private enum Source {
    case session(Session)
    case file(UnsafeMutablePointer<FILE>)
  }
  private let source: Source
  private let vocabularySize: Int

  init(_ path: String, _ arguments: ModelArguments, vocabularySize: Int, tokens: Int) throws {
    self.vocabularySize = vocabularySize
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw InputError(description: "\(path): cannot open: \(String(cString: strerror(errno)))")
    }
    if Self.isPack(path) {
      var other = arguments
      other.pack = path
      other.kv = .f16
      let session = try other.session(other.open(), readsAllLogits: true)
      guard session.model.vocabularySize == vocabularySize else {
        throw InputError(description: "\(path): a vocabulary of \(session.model.vocabularySize), the other has \(vocabularySize)")
      }
      source = .session(session)
    } else {
      let expected = tokens * vocabularySize * 4
      guard Int(status.st_size) == expected else {
        throw InputError(
          description: "\(path): \(status.st_size) bytes, but \(tokens) tokens × \(vocabularySize) logits take \(expected)")
      }
      guard let file = fopen(path, "r") else {
        throw InputError(description: "\(path): cannot open: \(String(cString: strerror(errno)))")
      }
      source = .file(file)
    }
  }

  /// Whether the path names a folder.
  static func isPack(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  deinit { if case .file(let file) = source { fclose(file) } }

  /// Hands the logits of a chunk's positions from `first` on to `body`.
  func logits(_ chunk: [Int32], offset: Int, first: Int, _ body: (Int, UnsafeBufferPointer<Float>) -> Void) throws {
    switch source {
    case .session(let session):
      session.model.truncate(0, to: 0)
      try session.model.append(chunk, logitsFrom: first, body)
    case .file(let file):
      var row = [Float](repeating: 0, count: vocabularySize)
      for index in first..<chunk.count {
        guard fseek(file, (offset + index) * vocabularySize * 4, SEEK_SET) == 0,
          fread(&row, 4, vocabularySize, file) == vocabularySize
        else { throw InputError(description: "cannot read the reference logits of position \(offset + index)") }
        row.withUnsafeBufferPointer { body(index, $0) }
      }
    }
  }
}

/// The sums over all chunks so far.
struct Evaluation {
  let model: Model
  let begin: Int32?
  var negativeLogLikelihood = MeanWithError()
  var divergence = MeanWithError()
  var largestDivergence = 0.0

  init(_ model: Model, begin: Int32?) {
    self.model = model
    self.begin = begin
  }

  /// Judges the second half of a chunk.
  mutating func add(_ tokens: [Int32], offset: Int, _ reference: Reference?) throws {
    var input = tokens
    if let begin { input[0] = begin }
    let first = max(0, min(tokens.count / 2, tokens.count - 2))
    var kept: [[Float]] = []
    model.truncate(0, to: 0)
    try model.append(input, logitsFrom: first) { _, logits in kept.append(Array(logits)) }
    for (index, row) in kept.enumerated() where first + index + 1 < tokens.count {
      let logs = LogProbabilities(row.span)
      negativeLogLikelihood.add(-logs[Int(tokens[first + index + 1])])
    }
    guard let reference else { return }
    var values: [Double] = []
    try reference.logits(input, offset: offset, first: first) { position, logits in
      let own = kept[position - first]
      values.append(LogProbabilities(own.span).divergence(from: LogProbabilities(logits.span)))
    }
    for value in values {
      divergence.add(value)
      largestDivergence = max(largestDivergence, value)
    }
  }
}
