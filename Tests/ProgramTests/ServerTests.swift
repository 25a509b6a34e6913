// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Synchronization
import Testing

/// The output of a program so far.
private final class Lines: Sendable {
  let text = Mutex("")
}

/// A running packserve, which is killed after the test unless it has ended.
final class RunningServer {
  let url: String
  private let process: Process
  private let log: String
  private let lines = Lines()

  var processID: Int32 { process.processIdentifier }

  /// Starts the program at a free port, and waits until its model is loaded.
  ///
  /// - Parameters:
  ///   - threads: The number of computing threads.
  ///   - limit: A shell command that limits what the program may do.
  init(_ pack: String, _ options: [String] = [], threads: Int = 2, limit: String = ":") throws {
    process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments =
      ["-c", "\(limit); exec \"$0\" \"$@\"", try Program.packserve.path, pack, "--port", "0", "--threads", "\(threads)"]
      + options
    let errors = Pipe()
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    var (text, address) = ("", nil as String?)
    while address == nil || !text.contains(" is ready") {
      let data = errors.fileHandleForReading.availableData
      try #require(!data.isEmpty, "packserve ended: \(text)")
      text += String(decoding: data, as: UTF8.self)
      address = text.split(separator: "\n").first { $0.contains("listening at ") }.flatMap {
        // A line in JSON continues after the address.
        $0.split(separator: " ").last.map { String($0.prefix { $0 != "\"" }) }
      }
    }
    url = try #require(address)
    log = text
    // If nothing read its output, the server would stop.
    errors.fileHandleForReading.readabilityHandler = { [lines] handle in
      let data = handle.availableData
      if data.isEmpty {
        handle.readabilityHandler = nil
      } else {
        lines.text.withLock { $0 += String(decoding: data, as: UTF8.self) }
      }
    }
  }

  /// Its output so far.
  var output: String { log + lines.text.withLock { $0 } }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  /// Waits until the program has ended by itself.
  func wait() -> (code: Int32, wasKilled: Bool) {
    process.waitUntilExit()
    return (process.terminationStatus, process.terminationReason == .uncaughtSignal)
  }

  /// Lets a program of Tests/ServerClients use the server.
  func check(_ name: String, _ arguments: String...) throws -> Program.Result { try Self.check(name, [url] + arguments) }

  /// Runs a program of Tests/ServerClients.
  static func check(_ name: String, _ arguments: [String]) throws -> Program.Result {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let packages = ProcessInfo.processInfo.environment["GGUFPACK_PYTHON"] ?? ""
    return try Program.run(
      "/usr/bin/env",
      ["PYTHONPATH=\(packages)", "python3", tests.appending(path: "ServerClients/\(name)").path] + arguments)
  }
}

@Suite(
  "The server, used by clients that nobody here wrote", .serialized,
  .enabled(if: Server.isBuilt, "packserve is not built: set GGUFPACK_SERVER"),
  .enabled(
    if: Server.hasClients, "Python has not the clients that scripts/fetch-python-packages gets and GGUFPACK_PYTHON names"),
  .enabled(if: Server.gemma != nil, "GGUFPACK_GEMMA names no Gemma 3 270M; scripts/fetch-gemma gets it"))
struct ServerTests {
  private func pack() throws -> (folder: TemporaryFolder, path: String) {
    let folder = try TemporaryFolder()
    let pack = folder.file("small.pack")
    let result = try Program.ggufpack.run("convert", try #require(Server.gemma), "-o", pack, "--quiet")
    try #require(result.exitCode == 0, "\(result.errors)")
    return (folder, pack)
  }

  @Test(
    "The clients of OpenAI and Anthropic, LiteLLM and llm get packrun's answers, complete, streamed and among sixteen others",
    .timeLimit(.minutes(5)), arguments: ["check-openai", "check-anthropic", "check-litellm", "check-llm"])
  func clients(program: String) throws {
    let (folder, pack) = try pack()
    let request = folder.file("request.json")
    let text = #"{"messages": [{"role": "user", "content": "Name three colours of the rainbow."}]}"#
    try Data(text.utf8).write(to: URL(filePath: request))
    let answer = try Program.packrun.run(pack, "--request", request, "--temp", "0", "-n", "24", "--quiet")
    try #require(answer.exitCode == 0, "\(answer.errors)")
    let server = try RunningServer(pack, ["--api-key", "sesame"])
    let expected = answer.text.trimmingCharacters(in: .whitespacesAndNewlines)
    let result = try server.check(program, request, expected)
    #expect(result.exitCode == 0 && result.text == "all as expected\n", "\(result.text)\(result.errors)")
  }

  @Test("A server that is asked to end completes its answers and then ends", .timeLimit(.minutes(2)))
  func ending() throws {
    let (folder, pack) = try pack()
    let server = try RunningServer(pack, ["--api-key", "sesame"])
    let result = try server.check("check-ending", "\(server.processID)")
    #expect(result.exitCode == 0 && result.text == "all as expected\n", "\(result.text)\(result.errors)")
    let end = server.wait()
    #expect(end.code == 0 && !end.wasKilled)
    withExtendedLifetime(folder) {}
  }
}

/// The requirements of the server's tests.
enum Server {
  static let isBuilt = (try? FileManager.default.isExecutableFile(atPath: Program.packserve.path)) ?? false
  static let gemma = ProcessInfo.processInfo.environment["GGUFPACK_GEMMA"]
  static let hasClients: Bool = {
    let packages = ProcessInfo.processInfo.environment["GGUFPACK_PYTHON"] ?? ""
    let find = """
      from importlib.util import find_spec
      assert all(find_spec(name) for name in ("anthropic", "litellm", "llm", "openai", "schemathesis"))
      """
    let result = try? Program.run("/usr/bin/env", ["PYTHONPATH=\(packages)", "python3", "-c", find])
    return result?.exitCode == 0
  }()
}
