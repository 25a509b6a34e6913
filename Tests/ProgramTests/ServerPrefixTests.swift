// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite(
  "The server keeps beginnings of prompts", .serialized,
  .enabled(if: Server.isBuilt, "packserve is not built: set GGUFPACK_SERVER"),
  .enabled(if: Server.gemma != nil, "GGUFPACK_GEMMA names no Gemma 3 270M; scripts/fetch-gemma gets it"))
struct ServerPrefixTests {
  private let folder: TemporaryFolder
  private let pack: String
  /// Prompts, and packrun's answers to them.
  private let pairs: String
  private var cache: String { folder.file("cache") }

  init() throws {
    folder = try TemporaryFolder()
    pack = folder.file("small.pack")
    let result = try Program.ggufpack.run("convert", try #require(Server.gemma), "-o", pack, "--quiet")
    try #require(result.exitCode == 0, "\(result.errors)")
    pairs = folder.file("pairs.json")
    let prompts = [
      "The keeper of the lighthouse wrote every evening what the sea had brought, and on the third of May he wrote about",
      "In a village between two rivers there lived a baker who never slept, because his oven asked him every night to",
      "The shortest way over the mountains is closed from October to April, so people who want to go to the sea take",
    ]
    let answers = try prompts.map { prompt in
      let answer = try Program.packrun.run(pack, "-p", prompt, "-n", "16", "--temp", "0", "--quiet")
      try #require(answer.exitCode == 0, "\(answer.errors)")
      return [prompt, answer.text.hasSuffix("\n") ? String(answer.text.dropLast()) : answer.text]
    }
    try JSONSerialization.data(withJSONObject: answers).write(to: URL(filePath: pairs))
  }

  private var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: cache)) ?? []).sorted()
  }

  private func check(_ server: RunningServer, leastCached: Int) throws {
    let result = try server.check("check-prefixes", pairs, "\(leastCached)")
    #expect(result.exitCode == 0 && result.text == "all as expected\n", "\(result.text)\(result.errors)")
  }

  private func end(_ server: RunningServer) {
    kill(server.processID, SIGTERM)
    let end = server.wait()
    #expect(end.code == 0 && !end.wasKilled)
  }

  @Test("Answers equal packrun's after a hit in memory, and after a restart with a hit on disk", .timeLimit(.minutes(5)))
  func hits() throws {
    let first = try RunningServer(pack, ["--parallel", "1", "--cache-dir", cache])
    try check(first, leastCached: 0)
    end(first)
    #expect(files.count == 3 && files.allSatisfy { $0.hasSuffix(".prefix") }, "\(files)")
    let second = try RunningServer(pack, ["--parallel", "1", "--cache-dir", cache, "--cache-ram", "0"])
    try check(second, leastCached: 16)
    end(second)
  }

  @Test("A server that is killed while it writes leaves nothing that is used incompletely", .timeLimit(.minutes(5)))
  func killed() throws {
    for delay in [0, 3000, 10_000, 30_000] as [UInt32] {
      let server = try RunningServer(pack, ["--parallel", "1", "--cache-dir", cache])
      try check(server, leastCached: 0)
      usleep(delay)
      kill(server.processID, SIGKILL)
      _ = server.wait()
    }
    let server = try RunningServer(pack, ["--parallel", "1", "--cache-dir", cache])
    #expect(!files.contains { $0.hasPrefix(".") }, "\(files)")
    try check(server, leastCached: 0)
    end(server)
  }

  @Test("If files cannot be written completely, answers are right and no partial file stays", .timeLimit(.minutes(5)))
  func full() throws {
    // 64 KiB is less than any prefix of this model takes.
    let server = try RunningServer(pack, ["--parallel", "1", "--cache-dir", cache], limit: "ulimit -f 128")
    try check(server, leastCached: 0)
    end(server)
    #expect(files.isEmpty, "\(files)")
  }

  @Test(
    "With many clients, some of which leave, stop reading or stay silent, there is no error, none waits forever, and memory stays bounded",
    .timeLimit(.minutes(30)))
  func load() throws {
    // GGUFPACK_LOAD_SECONDS=600 runs it longer and with more clients.
    let seconds = ProcessInfo.processInfo.environment["GGUFPACK_LOAD_SECONDS"] ?? "20"
    let clients = (Int(seconds) ?? 0) >= 60 ? "64" : "16"
    let options = ["--parallel", "8", "--ctx", "1024", "--max-connections", "4096"]
    let caches = ["--cache-dir", cache, "--cache-ram", "64M", "--cache-size", "256M"]
    let server = try RunningServer(pack, options + caches)
    let result = try server.check("check-load", "\(server.processID)", seconds, clients, "\(Self.idleCount)")
    #expect(result.exitCode == 0, "\(result.text)\(result.errors)")
    print(result.text)
    end(server)
  }

  /// The number of silent connections: 2000, or as many as this process may have open.
  private static var idleCount: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 500 }
    return min(2000, Int(clamping: limit.rlim_max) - 200)
  }
}
