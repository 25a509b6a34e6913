// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import ChatTemplates
import Console
import Files
import Generation
import Inference
import ModelConsole
import PackFormat
import PackRuntime
import Serving
import Tokenization

/// The pack, and the options for serving it.
struct ServedModelArguments: ParsableArguments {
  @OptionGroup var model: ModelArguments

  @Option(help: "What clients call the model. (default: the name of the pack)")
  var alias: String?

  @Option(help: "Answers to write at a time. With a mirror, each runs within one node; otherwise all nodes compute all of them.")
  var parallel = 4

  @Option(name: .customLong("queue"), help: "How many more requests may wait; those beyond are refused.")
  var queueLimit = 256

  @Option(
    name: .customLong("prefill-share"),
    help: "Percentage of the time to spend on reading prompts while answers are written.")
  var promptPercent = 50

  @Option(
    name: .customLong("cache-ram"),
    help: "Memory for beginnings of prompts that no slot holds any longer, such as 512M or 8G; 0 for none.")
  var cacheMemory = ByteSize(1 << 30)

  @Option(name: .customLong("cache-dir"), help: "Also keep beginnings of prompts in this folder.", completion: .directory)
  var cacheFolder: String?

  @Option(help: "How much room they may take there, such as 100G.")
  var cacheSize = ByteSize(16 << 30)

  @OptionGroup var choice: TemplateChoice

  @Option(
    help:
      "How the hidden states of a text's tokens become an embedding: mean or last. (default: what the model's file asks for, or mean)"
  )
  var pooling: Pooling?

  func validate() throws {
    if !(1...256).contains(parallel) { throw ValidationError("--parallel must be between 1 and 256") }
    if !(0...65536).contains(queueLimit) { throw ValidationError("--queue must be between 0 and 65536") }
    if !(1...99).contains(promptPercent) { throw ValidationError("--prefill-share must be between 1 and 99") }
  }

  /// Returns the store for the beginnings of prompts; nil if it is turned off.
  func store(_ pack: Pack) throws(FileError) -> PrefixStore? {
    guard let cacheFolder else { return nil }
    return try PrefixStore(cacheFolder, limit: cacheSize.byteCount, pack: pack.digest) { Terminal.note($0) }
  }

  func servingOptions(_ store: PrefixStore?) -> ServingOptions {
    var options = ServingOptions()
    options.queueLimit = queueLimit
    options.promptShare = Double(promptPercent) / 100
    options.cacheByteCount = cacheMemory.byteCount
    options.store = store
    options.log = { Terminal.note($0) }
    return options
  }

  /// Places the pack and starts its threads.
  ///
  /// - Parameter progress: Called with the bytes placed so far and the total.
  func session(_ pack: Pack, progress: @escaping @Sendable (Int, Int) -> Void) throws(ModelError) -> Session {
    try model.session(pack, sequences: parallel, isQuiet: true, report: progress)
  }

  /// Returns the chat template, or why the model has none. If the user has chosen one, it must exist.
  func template(_ pack: Pack, _ tokenizer: Tokenizer) throws -> Result<ChatTemplate, ChatTemplateError> {
    do { return .success(try choice.template(pack, tokenizer)) } catch let error as ChatTemplateError where !choice.isGiven {
      return .failure(error)
    }
  }

  /// Returns how embeddings are made, or the error to answer if they are not available.
  func pooling(_ pack: Pack) -> Result<Pooling, InterfaceError> {
    if let pooling { return .success(pooling) }
    return Result { () throws(InterfaceError) in try Pooling(pack.metadata) }
  }

  /// Returns the CPUs that the computing threads leave to everything else.
  func spareCPUs(_ pack: Pack) throws -> SpareCPUs { SpareCPUs(try model.placement.teamPlan(pack), Topology.read()) }

  /// Returns the name that clients use for the model; never a path.
  func name(_ pack: Pack) -> String {
    if let alias { return alias }
    let folder = pack.path.split(separator: "/").last.map(String.init) ?? "model"
    return folder.hasSuffix(".pack") ? String(folder.dropLast(5)) : folder
  }
}

extension Pooling: ExpressibleByArgument {}

extension Pack {
  /// A digest that covers every byte of the weights.
  var digest: Digest { Digest(of: Array(checksums.text.utf8)) }
}
