// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Files
import Generation
import Glibc
import ModelConsole

/// The options for choosing tokens.
struct SamplingArguments: ParsableArguments {
  private static let standard = SamplingOptions()

  @Option(
    name: [.customLong("temp"), .customLong("temperature")], parsing: .unconditional,
    help: "Below 1, likely tokens become more likely; 0 or less always takes the likeliest one.")
  var temperature = Self.standard.temperature

  @Option(help: "Choose among this many of the likeliest tokens; 0 or -1 chooses among all.")
  var topK = Self.standard.topK

  @Option(help: "Choose among the likeliest tokens that together have this probability.")
  var topP = Self.standard.topP

  @Option(help: "Leave out tokens that are less probable than this fraction of the likeliest token's probability.")
  var minP = Self.standard.minP

  @Option(name: [.customLong("repeat-penalty")], help: "Divide the logits of recent tokens by this number; 1 does nothing.")
  var repetitionPenalty = Self.standard.repetitionPenalty

  @Option(name: .customLong("repeat-last-n"), help: "How many tokens count as recent; -1 counts all that the context holds.")
  var repetitionWindow = Self.standard.repetitionWindow

  @Option(help: "Seed of the random numbers; -1 is random.")
  var seed = Seed.random

  @Option(parsing: .unconditionalSingleValue, help: "Stop at this text; may be given several times.")
  var stop: [String] = []

  @Option(name: .shortAndLong, help: "Generate at most this many tokens; with -1, the model or the context ends the answer.")
  var number = -1

  /// The most tokens of an answer; nil if there is no limit.
  var maximumTokens: Int? { number < 0 ? nil : number }

  /// Returns the options for a context of `contextLength` tokens.
  func options(contextLength: Int) -> SamplingOptions {
    SamplingOptions(
      temperature: max(temperature, 0), topK: max(topK, 0), topP: topP, minP: minP, repetitionPenalty: repetitionPenalty,
      repetitionWindow: min(repetitionWindow < 0 ? contextLength : repetitionWindow, contextLength),
      seed: seed.value ?? .random(in: .min ... .max))
  }

  func validate() throws {
    for (name, value) in [("-n", number), ("--top-k", topK), ("--repeat-last-n", repetitionWindow)] where value < -1 {
      throw ValidationError("\(name) \(value): must be -1 or more")
    }
    guard temperature.isFinite else { throw ValidationError("--temp \(temperature): must be a number") }
    if let complaint = options(contextLength: 1).complaint { throw ValidationError(complaint) }
    for text in stop where text.isEmpty { throw ValidationError("--stop: the text is empty") }
    for text in stop { _ = try TextInput.decode(text.pathBytes, "--stop") }
  }
}

/// The start of the random numbers: a given number or a random one.
struct Seed: ExpressibleByArgument {
  static let random = Seed(value: nil)

  /// The number; nil for a random one.
  let value: UInt64?

  private init(value: UInt64?) { self.value = value }

  init?(argument: String) {
    value = UInt64(argument)
    if value == nil, argument != "-1" { return nil }
  }

  var defaultValueDescription: String { value.map { "\($0)" } ?? "random" }
}
