// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

/// packrun with its standard streams at a terminal of its own.
private final class Conversation {
  let process = Process()
  private let terminal: FileHandle
  private var seen = ""
  /// What stood in front of the text that was found last.
  private(set) var skipped = ""

  init(_ arguments: [String]) throws {
    // Linux's own calls: Swift's Glibc hides posix_openpt and its kin.
    let (unlock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
    let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var (isLocked, number): (CInt, CInt) = (0, 0)
    try #require(master >= 0 && ioctl(master, unlock, &isLocked) == 0 && ioctl(master, getNumber, &number) == 0)
    let slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    try #require(slave >= 0)
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    terminal = FileHandle(fileDescriptor: master, closeOnDealloc: true)
    let end = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
    process.executableURL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "packrun")
    process.arguments = arguments
    (process.standardInput, process.standardOutput, process.standardError) = (end, end, end)
    try process.run()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  func type(_ line: String) {
    _ = Array((line + "\n").utf8).withUnsafeBytes { write(terminal.fileDescriptor, $0.baseAddress, $0.count) }
  }

  /// What Ctrl-C does.
  func interrupt() { kill(process.processIdentifier, SIGINT) }

  /// Reads until `text` has come, and forgets what came up to its end.
  func expect(_ text: String, seconds: Double = 30) -> Bool {
    let deadline = ContinuousClock().now + .seconds(seconds)
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      if let range = seen.range(of: text) {
        skipped = String(seen[..<range.lowerBound])
        seen = String(seen[range.upperBound...])
        return true
      }
      guard ContinuousClock().now < deadline else { return false }
      let count = buffer.withUnsafeMutableBytes { read(terminal.fileDescriptor, $0.baseAddress, $0.count) }
      if count > 0 { seen += String(decoding: buffer[..<count], as: UTF8.self) } else { usleep(5000) }
    }
  }
}

@Suite("Ctrl-C while packrun answers", .timeLimit(.minutes(2)))
struct InterruptedAnswerTests {
  private func pack(_ place: TemporaryFolder) throws -> String {
    let path = place.file("model.pack")
    let result = try Program.ggufpack.run("convert", Fixture.path("gemma3-tiny.gguf"), "-o", path, "--quiet")
    try #require(result.exitCode == 0, "\(result.errors)")
    return path
  }

  /// An answer that takes minutes.
  private static let endless = ["--temp", "0", "--ctx", "300000", "--ignore-eos", "--kv", "q8_0"]

  @Test("Once it ends the answer, and the next prompt is answered; at the prompt it says how to leave; twice it ends the program")
  func atTheTerminal() throws {
    let place = try TemporaryFolder()
    let conversation = try Conversation([pack(place)] + Self.endless)
    #expect(conversation.expect("> "))
    // At the prompt, and then a question: it is answered for as long as nobody interrupts.
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
    // Apart, or the kernel takes both as one.
    usleep(100_000)
    conversation.interrupt()
    conversation.process.waitUntilExit()
    #expect(conversation.process.terminationStatus == 130)
  }

  @Test("In a pipe it ends the answer in order, with the reason")
  func inAPipe() throws {
    let place = try TemporaryFolder()
    let process = Process()
    process.executableURL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "packrun")
    process.arguments = [try pack(place), "-p", "Once", "--json"] + Self.endless
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    // The first event says that it runs.
    var text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    kill(process.processIdentifier, SIGINT)
    text += String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 0)
    #expect(text.contains("\"reason\":\"interrupted\""))
  }
}
