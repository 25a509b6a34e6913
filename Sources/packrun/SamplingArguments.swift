// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Generation
import Glibc

/// How tokens are chosen.
struct SamplingArguments: ParsableArguments {
  private static let standard = SamplingOptions()

  @Option(
    name: [.customLong("temp"), .customLong("temperature")], parsing: .unconditional,
    help: "Below 1, likely tokens become more likely; 0 always takes the likeliest one.")
  var temperature = Self.standard.temperature

  @Option(help: "Choose among this many of the likeliest tokens; 0 chooses among all.")
  var topK = Self.standard.topK

  @Option(help: "Choose among the likeliest tokens that together have this probability.")
  var topP = Self.standard.topP

  @Option(help: "Leave out tokens that are less probable than this fraction of the likeliest token's probability.")
  var minP = Self.standard.minP

  @Option(name: [.customLong("repeat-penalty")], help: "Divide the logits of recent tokens by this number; 1 does nothing.")
  var repetitionPenalty = Self.standard.repetitionPenalty

  @Option(name: .customLong("repeat-last-n"), help: "How many tokens count as recent.")
  var repetitionWindow = Self.standard.repetitionWindow

  @Option(help: "Seed of the random numbers. (default: random)")
  var seed: UInt64?

  @Option(parsing: .unconditionalSingleValue, help: "Stop at this text; may be given several times.")
  var stop: [String] = []

  @Option(name: .shortAndLong, help: "Tokens of an answer at most. (default: until the model or the context ends it)")
  var number: Int?

  var options: SamplingOptions {
    SamplingOptions(
      temperature: temperature, topK: topK, topP: topP, minP: minP, repetitionPenalty: repetitionPenalty,
      repetitionWindow: repetitionWindow, seed: seed ?? .random(in: .min ... .max))
  }

  func validate() throws {
    if let complaint = options.complaint { throw ValidationError(complaint) }
    if let number, number < 0 { throw ValidationError("-n must not be negative") }
  }
}
