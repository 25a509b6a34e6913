// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

/// A program of this package, run the way a user runs it.
struct Program {
  let name: String

  static let ggufpack = Program(name: "ggufpack")
  static let packrun = Program(name: "packrun")
  static let packserve = Program(name: "packserve")

  /// The output of a run, and how it ended.
  struct Result {
    let exitCode: Int32
    let output: Data
    let errors: String
    /// Whether a signal ended it, as after a trap.
    let wasKilled: Bool

    var text: String { String(decoding: output, as: UTF8.self) }
  }

  /// The folder that holds the programs: the one where the test bundle was built.
  private static var folder: URL {
    get throws {
      let bundle = try #require(CommandLine.arguments.first { $0.hasSuffix(".xctest") || $0.contains(".xctest/") })
      var url = URL(filePath: bundle)
      while url.pathExtension != "xctest" { url.deleteLastPathComponent() }
      return url.deletingLastPathComponent()
    }
  }

  /// Runs the program to its end.
  func run(_ arguments: String..., input: Data = Data()) throws -> Result {
    try run(arguments, input: input)
  }

  func run(_ arguments: [String], input: Data = Data()) throws -> Result {
    try Self.run(path, arguments, input: input)
  }

  /// The path of the program.
  var path: String { get throws { try Self.folder.appending(path: name).path } }

  /// Runs any program to its end.
  static func run(_ path: String, _ arguments: [String], input: Data = Data()) throws -> Result {
    let process = Process()
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    let (standardInput, output, errors) = (Pipe(), Pipe(), Pipe())
    process.standardInput = standardInput
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    try standardInput.fileHandleForWriting.write(contentsOf: input)
    try standardInput.fileHandleForWriting.close()
    // The programs print little on standard error, so reading the two streams one after the other cannot block them.
    let outputData = try output.fileHandleForReading.readToEnd() ?? Data()
    let errorData = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return Result(
      exitCode: process.terminationStatus, output: outputData, errors: String(decoding: errorData, as: UTF8.self),
      wasKilled: process.terminationReason == .uncaughtSignal)
  }
}

/// Sends a request with curl, which every system that builds Swift has.
func curl(_ arguments: String...) throws -> Program.Result { try curl(arguments) }

func curl(_ arguments: [String]) throws -> Program.Result {
  try Program.run("/usr/bin/env", ["curl", "--silent", "--show-error", "--max-time", "60"] + arguments)
}

/// A folder that is removed with this object.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appending(path: "ggufpack-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }

  /// All names in it, including hidden ones.
  var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
}

/// The package's own small models.
enum Fixture {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "fixtures").path

  static func path(_ name: String) -> String { folder + "/" + name }

  /// Returns a folder with a pack of the tiny Gemma, converted with these options.
  static func pack(_ name: String = "model.pack", _ options: String...) throws -> (folder: TemporaryFolder, path: String) {
    let folder = try TemporaryFolder()
    let pack = folder.file(name)
    let result = try Program.ggufpack.run(["convert", path("gemma3-tiny.gguf"), "-o", pack, "--quiet"] + options)
    try #require(result.exitCode == 0, "\(result.errors)")
    return (folder, pack)
  }
}
