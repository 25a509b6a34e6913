// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import Testing

@Suite("Conversions that are interrupted", .serialized)
struct InterruptedConvertTests {
  /// Runs `body` with a model that takes a while to convert, in a folder that is removed afterwards.
  private func withModel(_ body: (_ folder: String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "interrupted-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var writer = GGUFWriter()
    writer.tensors = (0..<4).map { .init(name: "t\($0)", type: .q8_0, dimensions: [2048, 16_000]) }
    try writer.write(to: folder + "/model.gguf") { index in
      [UInt8](unsafeUninitializedCapacity: 34 * 64 * 16_000) { buffer, count in
        var state = UInt32(index + 1)
        for place in buffer.indices {
          state = state &* 1_664_525 &+ 1_013_904_223
          buffer[place] = UInt8(truncatingIfNeeded: state >> 24)
        }
        count = buffer.count
      }
    }
    try body(folder)
  }

  /// Starts the ggufpack beside the tests.
  private func launch(_ arguments: [String]) throws -> Process {
    let bundle = CommandLine.arguments.first { $0.contains(".xctest") } ?? CommandLine.arguments[0]
    let end = bundle.range(of: ".xctest")?.upperBound ?? bundle.endIndex
    let process = Process()
    process.executableURL = URL(filePath: String(bundle[..<end])).deletingLastPathComponent().appending(path: "ggufpack")
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    return process
  }

  private func run(_ arguments: String...) throws -> Int32 {
    let process = try launch(arguments)
    process.waitUntilExit()
    return process.terminationStatus
  }

  @Test("A run killed at any of 20 moments never leaves half a pack, and the next run succeeds", arguments: [[], ["--resume"]])
  func killed(extra: [String]) throws {
    try withModel { folder in
      let (model, pack) = (folder + "/model.gguf", folder + "/model.pack")
      let start = ContinuousClock.now
      let whole = try run("convert", model, "-o", pack, "--nodes", "2", "-q")
      let duration = (ContinuousClock.now - start) / .seconds(1)
      #expect(whole == 0)
      var killed = 0
      for moment in 0..<20 {
        try? FileManager.default.removeItem(atPath: pack)
        let process = try launch(["convert", model, "-o", pack, "--nodes", "2", "-q"] + extra)
        // Steps of a twentieth, plus a part of a step that differs from one to the next.
        Thread.sleep(forTimeInterval: duration * (Double(moment) + Double(moment * 7 % 10) / 10) / 20)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        if process.terminationReason == .uncaughtSignal { killed += 1 }
        if FileManager.default.fileExists(atPath: pack) { #expect(try run("verify", pack, "-q") == 0) }
      }
      #expect(killed > 0, "every run was over before it was killed")
      #expect(try run("convert", model, "-o", pack, "--nodes", "2", "-q", "--force") == 0)
      #expect(try run("verify", pack, "--source", model, "-q") == 0)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["model.gguf", "model.pack"])
    }
  }

  @Test("A signal ends the program with the matching exit code, and nothing is left behind", arguments: [SIGINT, SIGTERM, SIGHUP])
  func interrupted(signal: Int32) throws {
    try withModel { folder in
      let partial = folder + "/.model.pack.partial"
      var seen: [String] = []
      for _ in 0..<5 {
        let process = try launch(["convert", folder + "/model.gguf", "-o", folder + "/model.pack", "-q"])
        while process.isRunning && !FileManager.default.fileExists(atPath: partial + "/node0.blob") { usleep(200) }
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        // The signal may arrive after the last chunk; then the complete pack is there.
        #expect(process.terminationStatus == 128 + signal ? names == ["model.gguf"] : names == ["model.gguf", "model.pack"])
        if process.terminationStatus == 128 + signal { return }
        seen.append("\(process.terminationStatus) \(names)")
        try FileManager.default.removeItem(atPath: folder + "/model.pack")
      }
      Issue.record("five runs were over before the signal came: \(seen)")
    }
  }

  @Test(
    "A second run for the same pack is refused in one line, and the first one's result is complete",
    arguments: [[], ["--force"], ["--resume"]])
  func second(extra: [String]) throws {
    try withModel { folder in
      let (model, pack) = (folder + "/model.gguf", folder + "/model.pack")
      let first = try launch(["convert", model, "-o", pack, "-q"])
      while first.isRunning && !FileManager.default.fileExists(atPath: folder + "/.model.pack.partial/node0.blob") { usleep(200) }
      // While it is stopped, it exists but does not finish.
      kill(first.processIdentifier, SIGSTOP)
      let second = try Program.ggufpack.run(["convert", model, "-o", pack, "-q"] + extra)
      kill(first.processIdentifier, SIGCONT)
      #expect(second.exitCode == 2)
      #expect(second.errors == "ggufpack: \(pack): another run is writing it; wait for it, or stop it\n")
      first.waitUntilExit()
      #expect(first.terminationStatus == 0)
      #expect(try run("verify", pack, "--source", model, "-q") == 0)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["model.gguf", "model.pack"])
    }
  }

  @Test("If several runs begin at the same time, one writes the pack and the others do no harm")
  func together() throws {
    try withModel { folder in
      let (model, pack) = (folder + "/model.gguf", folder + "/model.pack")
      let runs = try (0..<6).map { _ in try launch(["convert", model, "-o", pack, "-q"]) }
      for run in runs { run.waitUntilExit() }
      #expect(runs.map(\.terminationStatus).sorted() == [0, 2, 2, 2, 2, 2])
      #expect(try run("verify", pack, "--source", model, "-q") == 0)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["model.gguf", "model.pack"])
    }
  }
}
