// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The sizes of a model's steps and sequences, checked so that measuring their memory cannot overflow.
struct ModelLimits {
  let contextLength: Int
  let batchSize: Int
  let logitRows: Int
  let sequenceCount: Int

  init(_ configuration: ModelConfiguration, _ options: ModelOptions, vocabularySize: Int)
    throws(ModelError)
  {
    contextLength =
      switch options.contextLength {
      case nil: min(configuration.contextLength, 4096)
      case 0?: configuration.contextLength
      case let length?: length
      }
    guard contextLength > 0, contextLength <= 1 << 28, options.sequenceCount > 0,
      options.batchSize > 0, (0...1 << 28).contains(options.checkpointInterval), (0...1 << 16).contains(options.checkpointCount),
      (0...4096).contains(options.tentativeCount)
    else {
      throw .tooLarge(what: "a context of \(contextLength)")
    }
    // A state has at most 2^24 elements for each tap.
    let hidden = configuration.predicts ? PassSizes.hiddenRows * configuration.embeddingLength : 0
    let states = configuration.layers.reduce(hidden) { $0 + ($1.mixer?.stateLength ?? 0) }
    let (copies, isTooMuch) = states.multipliedReportingOverflow(by: options.checkpointCount + 2 + options.tentativeCount)
    let (all, isFarTooMuch) = copies.multipliedReportingOverflow(by: options.sequenceCount)
    guard !isTooMuch, !isFarTooMuch, all < 1 << 56 else { throw .tooLarge(what: "the state of \(options.sequenceCount) sequences") }
    // In each layer, keys and values of a position take at most 2^31 elements, and there are at most 4096 layers.
    let elements = configuration.layers.reduce(0) { $0 + ($1.mixer?.numbersPerPosition ?? 0) }
    let (positions, isTooMany) = (contextLength + 15).multipliedReportingOverflow(by: options.sequenceCount)
    let (numbers, isTooLarge) = elements.multipliedReportingOverflow(by: positions)
    guard !isTooMany, !isTooLarge, numbers < 1 << 56 else { throw .tooLarge(what: "the KV cache of a context of \(contextLength)") }
    sequenceCount = options.sequenceCount
    batchSize = min(options.batchSize, max(contextLength, options.sequenceCount), 4096)
    logitRows = max(options.sequenceCount, min(batchSize, options.logitRows ?? (16 << 20) / max(vocabularySize, 1)))
  }
}
