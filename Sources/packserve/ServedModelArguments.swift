// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import ChatTemplates
import Console
import Files
import Generation
import Inference
import PackFormat
import PackRuntime
import Serving
import Tokenization

/// The pack, and how it is served.
struct ServedModelArguments: ParsableArguments {
  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Option(help: "What clients call the model. (default: the name of the pack)")
  var alias: String?

  @Option(help: "Answers written at a time. With a mirror, each runs within one node; otherwise all nodes compute all of them.")
  var parallel = 4

  @Option(name: .customLong("queue"), help: "Requests that may wait beyond these; more are refused.")
  var queueLimit = 256

  @Option(
    name: .customLong("prefill-share"),
    help: "The part of the time, in percent, that reading prompts gets while answers are written.")
  var promptPercent = 50

  @Option(
    name: .customLong("ctx"),
    help: "Tokens that the context of each answer holds. (default: what the model was trained on, at most 4096)")
  var context: Int?

  @Option(help: "How many tokens of a prompt are computed together.")
  var batch = 512

  @Option(help: "How keys and values are stored: f16, or q8_0, which takes about half the memory.")
  var kv = CacheType.f16

  @Option(name: .shortAndLong, help: "Threads that compute, in all. (default: one for each core)")
  var threads: Int?

  @Flag(help: "Let weights spill to other nodes where the right one is full.")
  var spill = false

  @Option(
    help: """
      The chat template: one of those that the model names, or \(ChatTemplate.builtInNames.joined(separator: ", ")). (default: the \
      model's own)
      """)
  var template: String?

  func validate() throws {
    if !(1...256).contains(parallel) { throw ValidationError("--parallel must be between 1 and 256") }
    if !(0...65536).contains(queueLimit) { throw ValidationError("--queue must be between 0 and 65536") }
    if !(1...99).contains(promptPercent) { throw ValidationError("--prefill-share must be between 1 and 99") }
    if let context, context < 1 || context > 1 << 28 { throw ValidationError("--ctx must be between 1 and 268435456") }
    if batch < 1 || batch > 4096 { throw ValidationError("--batch must be between 1 and 4096") }
  }

  var servingOptions: ServingOptions {
    var options = ServingOptions()
    options.queueLimit = queueLimit
    options.promptShare = Double(promptPercent) / 100
    return options
  }

  /// Places the pack and starts its threads.
  ///
  /// - Parameter progress: Called with what is placed and the total.
  func session(_ pack: Pack, progress: @escaping @Sendable (Int, Int) -> Void) throws(ModelError) -> Session {
    var options = SessionOptions()
    options.teams = TeamPlan.Options(threads: threads)
    options.memory = MemoryOptions(kind: nil, spill: spill, nodeMap: nil, progress: progress)
    options.memory.isInterrupted = { Interrupt.isRequested }
    options.model.contextLength = context
    options.model.batchSize = batch
    options.model.sequenceCount = parallel
    options.model.logitRows = parallel
    options.model.cacheType = kv
    return try Session(pack, options: options)
  }

  /// What clients call the model: never a path.
  func name(_ pack: Pack) -> String {
    if let alias { return alias }
    let folder = pack.path.split(separator: "/").last.map(String.init) ?? "model"
    return folder.hasSuffix(".pack") ? String(folder.dropLast(5)) : folder
  }
}

extension CacheType: ExpressibleByArgument {}
