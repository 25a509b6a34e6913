// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite(
  "The server among strangers", .serialized, .enabled(if: Server.isBuilt, "packserve is not built: set GGUFPACK_SERVER"))
struct ServerSafetyTests {
  @Test(
    "Foreign pages, large and malformed requests, slow clients and crowds are kept out, and no answer contains a path",
    .timeLimit(.minutes(5)))
  func strangers() throws {
    let (folder, pack) = try Fixture.pack()
    let server = try RunningServer(
      pack, ["--cors", "https://chat.example.com", "--max-body", "1", "--max-connections", "40", "--client-timeout", "2"])
    let result = try server.check("check-limits", folder.path)
    #expect(result.exitCode == 0 && result.text == "all as expected\n", "\(result.text)\(result.errors)")
  }

  @Test(
    "Requests that schemathesis generates from the published description break nothing, and get the answers that it describes",
    .enabled(
      if: Server.hasClients, "Python has not the clients that scripts/fetch-python-packages gets and GGUFPACK_PYTHON names"),
    .timeLimit(.minutes(30)))
  func fuzz() throws {
    let (folder, pack) = try Fixture.pack()
    // GGUFPACK_FUZZ_SECONDS=600 runs it longer.
    let seconds = ProcessInfo.processInfo.environment["GGUFPACK_FUZZ_SECONDS"] ?? "30"
    let server = try RunningServer(pack, ["--ctx", "64", "--cache-dir", folder.file("prefixes")])
    let result = try server.check("check-fuzz", seconds)
    #expect(result.exitCode == 0 && result.text.hasSuffix("all as expected\n"), "\(result.text)\(result.errors)")
    kill(server.processID, SIGTERM)
    let end = server.wait()
    #expect(end.code == 0 && !end.wasKilled)
  }

  /// Returns the CPUs that each thread of a process may use, as the kernel writes them.
  private func cpuLists(_ processID: Int32) throws -> [String] {
    let tasks = URL(filePath: "/proc/\(processID)/task")
    return try FileManager.default.contentsOfDirectory(atPath: tasks.path).compactMap { task in
      // The thread may have ended in the meantime.
      let status = try? String(contentsOf: tasks.appending(path: "\(task)/status"), encoding: .utf8)
      return status?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }?.split(separator: "\t").last.map(
        String.init)
    }
  }

  @Test(
    "If a CPU is left over, only the computing thread may use the computing thread's CPU",
    .enabled(if: ProcessInfo.processInfo.activeProcessorCount >= 2, "there is one CPU only"), .timeLimit(.minutes(2)))
  func cpus() throws {
    let (folder, pack) = try Fixture.pack()
    let server = try RunningServer(pack, ["--cache-dir", folder.file("prefixes")], threads: 1)
    // Send twelve requests at once, without a shell: a shell that starts with SIGCHLD blocked, as a thread of the test runner may have it,
    // waits forever.
    let body = #"{"prompt": [1, 2, 3, 4, 5, 6, 7, 8, 9], "max_tokens": 40, "stream": true}"#
    let urls = Array(repeating: server.url + "/v1/completions", count: 12)
    let load = try curl(["--parallel", "--parallel-immediate", "--fail", "-d", body] + urls)
    try #require(load.exitCode == 0, "\(load.errors)")
    let lists = try cpuLists(server.processID)
    // The computing thread has one CPU. On a machine with two, the other threads have one too.
    let counts = Dictionary(lists.map { ($0, 1) }, uniquingKeysWith: +)
    let alone = counts.filter { $0.value == 1 && UInt($0.key) != nil }
    #expect(counts.count == 2 && alone.count == 1, "\(counts)")
    let cpu = try #require(alone.first?.key)
    let others = try #require(counts.keys.first { $0 != cpu })
    let ranges = others.split(separator: ",").map { $0.split(separator: "-").compactMap { Int($0) } }
    #expect(ranges.allSatisfy { range in !((range.first ?? 0)...(range.last ?? 0)).contains(Int(cpu) ?? -1) }, "\(counts)")
  }

  @Test("Keys are the lines of a file, without the blanks around them, and a file without any is refused", .timeLimit(.minutes(5)))
  func keys() throws {
    let (folder, pack) = try Fixture.pack()
    let file = folder.file("keys")
    try " \n\r\n".write(toFile: file, atomically: true, encoding: .utf8)
    let refused = try Program.packserve.run([pack, "--api-key-file", file])
    #expect(refused.exitCode == 2 && refused.errors.contains("there is no key in it"), "\(refused.errors)")
    try "first\r\n\n  the second  \n".write(toFile: file, atomically: true, encoding: .utf8)
    let server = try RunningServer(pack, ["--api-key-file", file])
    for (key, status) in [("first", "200"), ("the second", "200"), ("second", "401"), ("firs", "401"), ("", "401")] {
      for header in ["Authorization: Bearer \(key)", "x-api-key: \(key)"] {
        let answer = try curl("-o", "/dev/null", "-w", "%{http_code}", "-H", header, server.url + "/v1/models")
        #expect(answer.text == status, "\(header): \(answer.text)")
      }
    }
    #expect(try curl("-o", "/dev/null", "-w", "%{http_code}", server.url + "/health").text == "200")
  }

  /// Makes a self-signed certificate for 127.0.0.1, and its key.
  private func certificate(in folder: TemporaryFolder, _ name: String) throws -> (certificate: String, key: String) {
    let (certificate, key) = (folder.file("\(name).crt"), folder.file("\(name).key"))
    let made = try Program.run(
      "/usr/bin/env",
      [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key,
      ])
    try #require(made.exitCode == 0, "\(made.errors)")
    return (certificate, key)
  }

  @Test("With a certificate and its key, clients that trust it are answered over TLS, and others are not", .timeLimit(.minutes(2)))
  func tls() throws {
    let (folder, pack) = try Fixture.pack()
    let (certificate, key) = try certificate(in: folder, "one")
    let server = try RunningServer(pack, ["--cert", certificate, "--key", key])
    #expect(server.url.hasPrefix("https://127.0.0.1:"))
    let trusting = try curl("--cacert", certificate, server.url + "/ready")
    #expect(trusting.exitCode == 0 && trusting.text == #"{"status":"ready"}"#, "\(trusting.errors)")
    #expect(try curl(server.url + "/ready").exitCode == 60)
    #expect(try curl("--cacert", certificate, "--tls-max", "1.1", server.url + "/ready").exitCode != 0)
    #expect(try curl("http" + server.url.dropFirst(5) + "/ready").exitCode != 0)
  }

  @Test("Unusable TLS options are refused in one line, before the model is loaded")
  func badCertificates() throws {
    let (folder, pack) = try Fixture.pack()
    let (one, two) = (try certificate(in: folder, "one"), try certificate(in: folder, "two"))
    let text = folder.file("text")
    try Data("no certificate\n".utf8).write(to: URL(filePath: text))
    let cases: [([String], String)] = [
      (["--cert", one.certificate], "TLS needs both --cert and --key"), (["--key", one.key], "TLS needs both --cert and --key"),
      (["--cert", text, "--key", one.key], "\(text): there is no certificate in it"),
      (["--cert", one.certificate, "--key", text], "\(text): there is no private key in it"),
      (["--cert", one.certificate, "--key", two.key], "\(two.key): this is not the key of the certificate in \(one.certificate)"),
      (["--cert", folder.file("absent"), "--key", one.key], "No such file or directory"),
      (["--cors", "chat.example.com"], "is not an origin"), (["--cors", "https://a.example/path"], "is not an origin"),
      (["--client-timeout", "0"], "--client-timeout must be between"),
    ]
    for (options, problem) in cases {
      let result = try Program.packserve.run([pack] + options)
      #expect([2, 64].contains(result.exitCode) && !result.wasKilled, "\(options)")
      #expect(result.errors.isOneLine && result.errors.contains(problem), "\(options): \(result.errors)")
    }
  }

  @Test("Each request gets a log line, as text or JSON, with the question only if that is enabled", .timeLimit(.minutes(2)))
  func log() throws {
    let (folder, pack) = try Fixture.pack()
    for (options, isJSON, hasPrompts) in [
      ([], false, false), (["--log-format", "json"], true, false), (["--log-format", "json", "--log-prompts"], true, true),
    ] {
      let server = try RunningServer(pack, options)
      let answer = try curl(
        "-i", server.url + "/v1/completions?secret=query", "-d", #"{"prompt": "confidential words", "max_tokens": 3}"#)
      let id = try #require(
        answer.text.split(whereSeparator: \.isNewline).first { $0.lowercased().hasPrefix("x-request-id: ") }?.dropFirst(14))
      for _ in 0..<100 where !server.output.contains("answered") { Thread.sleep(forTimeInterval: 0.05) }
      let lines = server.output.split(separator: "\n")
      let line = try #require(lines.first { $0.contains("answered") })
      #expect(line.contains(id) && line.contains("/v1/completions") && line.contains("200") && !line.contains("secret"))
      #expect(server.output.contains("confidential") == hasPrompts)
      guard isJSON else { continue }
      for line in lines {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
        #expect(object["time"] is String && object["level"] is String && object["message"] is String)
      }
    }
    withExtendedLifetime(folder) {}
  }

  @Test("The first signal lets a running answer finish; a second one ends the server at once", .timeLimit(.minutes(2)))
  func twoSignals() throws {
    let (folder, pack) = try Fixture.pack()
    let server = try RunningServer(pack, ["--drain", "600", "--parallel", "1"])
    let client = Process()
    client.executableURL = URL(filePath: "/usr/bin/env")
    client.arguments = [
      "curl", "--silent", "--no-buffer", server.url + "/v1/completions", "-d",
      #"{"prompt": "a", "max_tokens": 100000, "stream": true, "ignore_eos": true, "n": 16}"#,
    ]
    let output = Pipe()
    client.standardOutput = output
    try client.run()
    #expect(!output.fileHandleForReading.availableData.isEmpty)
    kill(server.processID, SIGTERM)
    for _ in 0..<500 where !server.output.contains("ending") { Thread.sleep(forTimeInterval: 0.01) }
    kill(server.processID, SIGTERM)
    let end = server.wait()
    #expect(end.code == 128 + SIGTERM && !end.wasKilled)
    client.terminate()
    withExtendedLifetime(folder) {}
  }
}
