// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import Generation
import Inference
import ModelConsole
import PackFormat
import Tokenization

/// `packrun perplexity`: measures how well a model predicts a text.
struct PerplexityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "perplexity", abstract: "Measure how well a model predicts a text.",
    discussion: """
      Works like llama-perplexity: the text is cut into chunks of --ctx tokens (512 by default), each chunk begins with the \
      begin-of-text token if the model has one, and the second half of each chunk is scored. If --kl names a file of logits, which were \
      computed over the whole text, the text is one chunk. If --kl names a pack, that pack keeps keys and values as f16, so comparing a \
      pack with itself shows what --kv q8_0 costs.
      """)

  @OptionGroup var model: ModelArguments

  @Option(name: .shortAndLong, help: "The text; - is standard input.", completion: .file())
  var file: String

  @Option(
    help: """
      Also print the Kullback-Leibler divergence from the predictions of this pack, or of a file that packrun logits wrote for the \
      tokens of this text.
      """)
  var kl: String?

  @Option(help: "Score at most this many chunks.")
  var chunks: Int?

  func validate() throws {
    if model.context == 0 { throw ValidationError("--ctx must be 1 or more: the text is cut into chunks of that length") }
  }

  func run() throws {
    let pack = try model.open()
    let tokenizer = try Tokenizer(metadata: pack.metadata)
    let tokens = tokenizer.encode(try TextInput.read(file), addSpecial: true, parseSpecial: false)
    let own = tokens.count - (tokenizer.addsBeginOfText ? 1 : 0)
    guard own >= 2 else {
      throw Failure("\(file): the text is too short: it has \(Count(own, "token")), but at least 2 are needed")
    }
    let length = try chunkLength(tokens.count)
    var arguments = model
    arguments.context = length
    let session = try arguments.session(pack, readsAllLogits: true)
    let reference = try kl.map { try Reference($0, arguments, session.model, tokens: tokens.count) }
    let count = min(chunks ?? .max, tokens.count / length)
    var evaluation = Evaluation(session.model, begin: tokenizer.addsBeginOfText ? tokenizer.beginOfText : nil)
    for chunk in 0..<max(count, 1) where !Output.hasFailed {
      let part = Array(tokens[chunk * length..<(chunk + 1) * length])
      try evaluation.add(part, offset: chunk * length, reference?.logits)
      Output.write("[\(chunk + 1)]\(Decimal(evaluation.perplexity, 4)),")
    }
    report(evaluation, comparing: reference != nil)
  }

  private func report(_ evaluation: Evaluation, comparing: Bool) {
    let perplexity = evaluation.perplexity
    let error = perplexity * evaluation.negativeLogLikelihood.error
    // A single token says nothing about the deviation.
    let scatter =
      evaluation.negativeLogLikelihood.count > 1 ? "+/- \(Decimal(error, 5))" : "from one token, too few to estimate the error"
    Output.write("\n")
    Output.print(line: "Final estimate: PPL = \(Decimal(perplexity, 4)) \(scatter)")
    guard comparing else { return }
    let divergence = evaluation.divergence
    Output.print(line: "Mean KL divergence = \(divergence.mean) +/- \(divergence.error), largest \(evaluation.largestDivergence)")
  }

  /// Returns the number of tokens in a chunk.
  private func chunkLength(_ tokens: Int) throws -> Int {
    guard let kl, !Pack.isFolder(kl) else { return min(model.context ?? 512, tokens) }
    if let context = model.context, context < tokens {
      throw Failure(
        "--ctx \(context): the logits in a file are those of the whole text, \(Count(tokens, "token")); leave --ctx out")
    }
    return tokens
  }
}

/// The reference of `--kl`: another pack, whose session it keeps, or logits in a file.
private struct Reference {
  let logits: ReferenceLogits
  private let session: Session?

  init(_ path: String, _ arguments: ModelArguments, _ model: Model, tokens: Int) throws {
    guard Pack.isFolder(path) else {
      logits = .file(try LogitsFile(path, tokens: tokens, vocabularySize: model.vocabularySize))
      session = nil
      return
    }
    var other = arguments
    other.pack = path
    other.kv = .f16
    let session = try other.session(other.open(), readsAllLogits: true)
    guard session.model.vocabularySize == model.vocabularySize else {
      throw Failure(
        "\(path): its vocabulary has \(session.model.vocabularySize) tokens, but the other pack's has \(model.vocabularySize)")
    }
    logits = .model(session.model)
    self.session = session
  }
}
