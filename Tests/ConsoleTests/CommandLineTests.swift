// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Testing

@testable import Console

/// A program with a default command.
private struct Runner: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runner", subcommands: [Run.self, Check.self], defaultSubcommand: Run.self)

  struct Run: ParsableCommand {
    @Argument var file: String
    @Option(name: .shortAndLong, parsing: .unconditional) var prompt: String?
    @Option(name: .shortAndLong) var number = 0
    @Option var cache = 0
    @Flag var json = false
  }

  struct Check: ParsableCommand {
    @Argument var file: String
  }
}

@Suite("The words of a command line")
struct CommandLineTests {
  private func translated(_ words: [String]) throws -> [String] {
    var line = CommandLineWords(words, of: Runner.self)
    try line.translate([
      "-c": .option("--cache"), "-ck": .option("--cache", sharesValue: true), "-cv": .option("--cache", sharesValue: true),
      "-j": .option("--json"), "-m": .argument, "-ub": .notNeeded("it is so", values: .one), "--old": .notNeeded("it is so"),
      "-fa": .notNeeded("it is so", values: .onOrOff), "-hf": .refused("not here; do that"),
    ])
    return line.words
  }

  @Test(
    "The distance of two words is the number of letters that differ",
    arguments: [("", "", 0), ("run", "rnu", 1), ("convert", "convrt", 1), ("chat", "chta", 1), ("a", "bcd", 3), ("verify", "", 6)])
  func distance(a: String, b: String, count: Int) {
    #expect(Spelling.distance(a, b) == count && Spelling.distance(b, a) == count)
  }

  @Test("No name is suggested for a word that is not close to any")
  func nearest() {
    #expect(Spelling.nearest(to: "rnu", among: ["run", "chat"]) == "run")
    #expect(Spelling.nearest(to: "model", among: ["run", "chat"]) == nil)
    #expect(Spelling.nearest(to: "chekc", among: ["run", "check", "chuck"]) == "check")
  }

  @Test(
    "A mistyped command is reported with the nearest one, and a file is not taken for a command",
    arguments: [(["rnu", "x"], "'rnu'"), (["chekc"], "'chekc'"), (["help", "chck"], "'chck'"), (["help", "zzz"], "'zzz'")])
  func commands(words: [String], word: String) {
    let failure = #expect(throws: Failure.self) { try CommandLineWords(words, of: Runner.self).checkCommand() }
    #expect(failure?.problem.contains(word) == true && failure?.exitCode == .wrongUsage)
    for words in [["run", "x"], ["model"], ["/rnu"], ["help"], ["help", "run"], ["-p", "rnu"], []] {
      #expect(throws: Never.self) { try CommandLineWords(words, of: Runner.self).checkCommand() }
    }
  }

  @Test("The word after an option that takes a value is its value")
  func values() {
    func joined(_ words: [String]) -> [String]? { CommandLineWords(words, of: Runner.self).joiningValues }
    #expect(joined(["x", "-n", "-1"]) == ["x", "-n=-1"])
    #expect(joined(["x", "--prompt", "---", "-n", "1"]) == ["x", "--prompt=---", "-n", "1"])
    #expect(joined(["x", "-p", "-n"]) == ["x", "-p=-n"])
    #expect(joined(["x", "-n", "1", "--json"]) == nil)
    #expect(joined(["x", "--", "-n", "-1"]) == nil)
    #expect(joined(["x", "-p", "-"]) == nil)
  }

  @Test("Names from similar programs are translated, and options that are not needed are left out")
  func synonyms() throws {
    #expect(try translated(["x", "-c", "5"]) == ["x", "--cache", "5"])
    #expect(try translated(["x", "-c=5", "-ub", "512", "--old", "--json"]) == ["x", "--cache", "5", "--json"])
    // The value of an option is not an option.
    #expect(try translated(["x", "-p", "-ub"]) == ["x", "-p", "-ub"])
    #expect(try translated(["x", "--", "-ub"]) == ["x", "--", "-ub"])
    #expect(try translated(["x", "-10", "-1.5"]) == ["x", "-10", "-1.5"])
    #expect(try translated(["x", "-j", "-ub", "-1", "-ub", "--json"]) == ["x", "--json", "--json"])
  }

  @Test("A model given by an option becomes the first argument, wherever the option stands")
  func argument() throws {
    #expect(try translated(["-m", "x"]) == ["x"])
    #expect(try translated(["-p", "hi", "-m", "x"]) == ["x", "-p", "hi"])
    #expect(try translated(["check", "y", "-m=x"]) == ["check", "x", "y"])
    #expect(throws: Failure.self) { try translated(["-m"]) }
  }

  @Test("A word after an option with an optional value is left alone unless it can be the value")
  func optionalValue() throws {
    #expect(try translated(["-fa", "x"]) == ["x"])
    #expect(try translated(["-fa", "on", "x", "-fa"]) == ["x"])
  }

  @Test("Two options that mean the same option here must have the same value")
  func sharedValue() throws {
    #expect(try translated(["x", "-ck", "5", "-cv", "5"]) == ["x", "--cache", "5", "--cache", "5"])
    let failure = #expect(throws: Failure.self) { try translated(["x", "-ck", "5", "-cv", "6"]) }
    #expect(failure?.problem == "-ck 5 and -cv 6: both are --cache here, which has one value")
  }

  @Test("An option that cannot be ignored is refused, with what to do instead", arguments: [["x", "-hf", "y"], ["-hf=y", "x"]])
  func refused(words: [String]) {
    let failure = #expect(throws: Failure.self) { _ = try translated(words) }
    #expect(failure?.problem == "-hf: not here; do that" && failure?.exitCode == .wrongUsage)
  }

  @Test("Several letters after one dash are an unknown option, not the help", arguments: ["-hx", "-json", "-ctk"])
  func severalLetters(word: String) {
    let failure = #expect(throws: Failure.self) { _ = try translated(["x", word, "y"]) }
    #expect(failure?.problem.contains("'\(word)'") == true && failure?.exitCode == .wrongUsage)
  }
}
