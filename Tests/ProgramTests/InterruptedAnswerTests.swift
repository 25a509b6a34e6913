// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite("Ctrl-C while packrun answers", .timeLimit(.minutes(2)))
struct InterruptedAnswerTests {
  private func pack(_ place: TemporaryFolder) throws -> String {
    let path = place.file("model.pack")
    let result = try Program.ggufpack.run("convert", Fixture.path("gemma3-tiny.gguf"), "-o", path, "--quiet")
    try #require(result.exitCode == 0, "\(result.errors)")
    return path
  }

  /// The options for an answer that takes minutes.
  private static let endless = ["--temp", "0", "--ctx", "300000", "--ignore-eos", "--kv", "q8_0"]

  @Test("Ctrl-C stops the answer, and the next prompt is answered; at the prompt it says how to leave; twice it ends the program")
  func atTheTerminal() throws {
    let place = try TemporaryFolder()
    let conversation = try Conversation([pack(place)] + Self.endless)
    #expect(conversation.expect("> "))
    // Press it at the prompt, and then ask a question, whose answer continues until it is interrupted.
    conversation.interrupt()
    #expect(conversation.expect("Ctrl-D, quits"))
    for _ in 0..<2 {
      conversation.type("Once upon")
      usleep(300_000)
      conversation.interrupt()
      #expect(conversation.expect("; answer "))
      #expect(conversation.expect(" tokens, "))
      #expect(Int(conversation.skipped).map { $0 > 1 } ?? false, "the answer did not go on: \(conversation.skipped)")
      #expect(conversation.expect("> "))
    }
    conversation.type("Once upon")
    usleep(300_000)
    conversation.interrupt()
    // Wait in between; otherwise the kernel merges the two signals.
    usleep(100_000)
    conversation.interrupt()
    conversation.process.waitUntilExit()
    #expect(conversation.process.terminationStatus == 130)
  }

  @Test("In a pipe, Ctrl-C ends the answer in order and gives the reason")
  func inAPipe() throws {
    let place = try TemporaryFolder()
    let process = Process()
    process.executableURL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "packrun")
    process.arguments = [try pack(place), "-p", "Once", "--json"] + Self.endless
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    // The first event shows that it is running.
    var text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    kill(process.processIdentifier, SIGINT)
    text += String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 0)
    #expect(text.contains("\"reason\":\"interrupted\""))
  }
}
