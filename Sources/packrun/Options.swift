// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Generation
import Glibc
import Inference
import PackFormat
import PackRuntime

/// The pack, and how it is to be run.
struct ModelArguments: ParsableArguments {
  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Option(name: .shortAndLong, help: "Threads in all; else one for each core.")
  var threads: Int?

  @Option(help: "The CPUs to use, such as 0-7,16-23.")
  var cpus: String?

  @Option(help: "Machine nodes by the pack's nodes, such as 0=0,1=2.")
  var mapNodes: String?

  @Option(help: "Where the weights lie: auto, hugetlb, anon, file or pinned.")
  var memory = "auto"

  @Flag(help: "Let weights lie on other nodes where the right one is full.")
  var spill = false

  @Option(name: .customLong("ctx"), help: "Tokens that the context holds; else the model's, at most 4096.")
  var context: Int?

  @Option(help: "Tokens of a prompt computed together.")
  var batch = 512

  @Option(help: "How keys and values are kept: f16, or q8_0, which takes about half the memory.")
  var kv = CacheType.f16

  @Option(help: "Instruction set of the kernels, such as avx2; else the best of this CPU.")
  var kernels: String?

  @Flag(help: "Check every byte of the pack against its digests first.")
  var verify = false

  @Option(help: .hidden)
  var teams: Int?

  func validate() throws {
    if let context, context < 1 || context > 1 << 28 { throw ValidationError("--ctx must be between 1 and 268435456.") }
    if batch < 1 || batch > 4096 { throw ValidationError("--batch must be between 1 and 4096.") }
  }

  /// Opens the pack and checks it if asked to.
  func open() throws -> Pack {
    let pack = try Pack.open(pack)
    guard verify else { return pack }
    let damage = try PackVerifier(pack).run()
    for problem in damage { Terminal.note(problem.description) }
    if !damage.isEmpty { throw ExitCode(1) }
    return pack
  }

  /// Places the pack and starts its threads, and says what could not be arranged as it should be.
  ///
  /// - Parameter readsAllLogits: Whether the logits of many positions are read, not those of each sequence's last one alone.
  func session(_ pack: Pack, sequences: Int = 1, readsAllLogits: Bool = false, isQuiet: Bool = false) throws -> Session {
    var options = SessionOptions()
    options.teams = TeamPlan.Options(
      threads: threads, cpus: try cpus.map { try TeamPlan.cpuList($0) }, nodeMap: try mapNodes.map { try TeamPlan.nodeMap($0) })
    options.simulatedTeams = teams
    options.memory = MemoryOptions(
      kind: try MemoryOptions.kind(memory), spill: spill, progress: isQuiet ? nil : LoadProgress.listener())
    options.model.contextLength = context
    options.model.batchSize = batch
    options.model.sequenceCount = sequences
    if !readsAllLogits { options.model.logitRows = sequences }
    options.model.kernels = kernels
    options.model.cacheType = kv
    let session = try Session(pack, options: options)
    if !isQuiet { for note in session.notes { Terminal.note(note) } }
    return session
  }
}

extension CacheType: ExpressibleByArgument {}

/// How tokens are chosen.
struct SamplingArguments: ParsableArguments {
  @Option(
    name: [.customLong("temp"), .customLong("temperature")], parsing: .unconditional, help: "0 takes the likeliest token always.")
  var temperature: Float = 0.8

  @Option(help: "Choose among this many of the likeliest tokens; 0: all.")
  var topK = 40

  @Option(help: "Choose among the likeliest tokens that make up this probability.")
  var topP: Float = 0.95

  @Option(help: "Leave out tokens less probable than this part of the likeliest one's.")
  var minP: Float = 0.05

  @Option(name: [.customLong("repeat-penalty")], help: "Divide recent tokens' logits by this; 1: no.")
  var repetitionPenalty: Float = 1

  @Option(name: .customLong("repeat-last-n"), help: "How many tokens are recent.")
  var repetitionWindow = 64

  @Option(help: "Where random numbers begin; else the clock says.")
  var seed: UInt64?

  @Option(parsing: .unconditionalSingleValue, help: "Stop at this text; may be given several times.")
  var stop: [String] = []

  @Option(name: .shortAndLong, help: "Tokens of an answer at most; else until the model or the context ends it.")
  var number: Int?

  var options: SamplingOptions {
    var options = SamplingOptions.greedy
    options.temperature = temperature
    options.topK = topK
    options.topP = topP
    options.minP = minP
    options.repetitionPenalty = repetitionPenalty
    options.repetitionWindow = repetitionWindow
    options.seed = seed ?? UInt64(bitPattern: Int64(time(nil))) &* 0x9E37_79B9_7F4A_7C15
    return options
  }

  func validate() throws {
    if let complaint = options.complaint { throw ValidationError(complaint) }
    if let number, number < 0 { throw ValidationError("-n must not be negative.") }
  }
}
