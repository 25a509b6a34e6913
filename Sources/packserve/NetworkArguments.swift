// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import Glibc

/// The options for the server's address, access and shutdown.
struct NetworkArguments: ParsableArguments {
  @Option(help: "The address to listen on; 0.0.0.0 for all addresses of this machine.")
  var host = "127.0.0.1"

  @Option(help: "The port to listen on; 0 for any free port.")
  var port = 8080

  @Option(help: "Answer only requests that carry this key. Other users of this machine can see it; --api-key-file hides it.")
  var apiKey: String?

  @Option(help: "Answer only requests that carry one of the keys in this file, which has one on each line.", completion: .file())
  var apiKeyFile: String?

  @Option(
    help: "Answer over TLS, with the certificate in this file (PEM; intermediate certificates may follow).", completion: .file())
  var cert: String?

  @Option(help: "The private key of that certificate, in a file (PEM).", completion: .file())
  var key: String?

  @Option(
    name: .customLong("cors"), parsing: .upToNextOption,
    help: """
      The origins whose pages may use the server from a browser, such as https://chat.example.com; * for all. Its own page and programs \
      that are not browsers always may.
      """)
  var origins: [String] = []

  @Option(name: .customLong("max-body"), help: "The largest request body, in megabytes.")
  var bodyMegabytes = 16

  @Option(name: .customLong("max-connections"), help: "How many connections to serve at a time; more wait.")
  var connections = 1024

  @Option(
    name: .customLong("client-timeout"),
    help: "Drop a client that sends nothing, leaves its request incomplete, or reads nothing of its answer for this many seconds.")
  var clientSeconds = 60

  @Option(help: "How to write log lines: text, or json (an object on each line).")
  var logFormat = LogFormat.text

  @Flag(help: "Also log what clients ask. Without this, no text of a request or an answer is logged.")
  var logPrompts = false

  @Option(name: .customLong("drain"), help: "Seconds that unfinished answers get when the server is told to end.")
  var drainSeconds = 30

  func validate() throws {
    if !(0...65535).contains(port) { throw ValidationError("--port must be between 0 and 65535") }
    if !(1...1024).contains(bodyMegabytes) { throw ValidationError("--max-body must be between 1 and 1024") }
    if !(1...65536).contains(connections) { throw ValidationError("--max-connections must be between 1 and 65536") }
    if !(1...86400).contains(clientSeconds) { throw ValidationError("--client-timeout must be between 1 and 86400") }
    if !(0...86400).contains(drainSeconds) { throw ValidationError("--drain must be between 0 and 86400") }
    if (cert == nil) != (key == nil) { throw ValidationError("TLS needs both --cert and --key") }
    for origin in origins where origin != "*" && !Self.isOrigin(origin) {
      throw ValidationError(
        "--cors: '\(origin)' is not an origin, which has a scheme and a host and no path, as https://chat.example.com")
    }
    if apiKey != nil, apiKeyFile != nil { throw ValidationError("give --api-key or --api-key-file, not both") }
  }

  private static func isOrigin(_ text: String) -> Bool {
    guard text != "null", let range = text.firstRange(of: "://") else { return text == "null" }
    let host = text[range.upperBound...]
    return range.lowerBound > text.startIndex && !host.isEmpty && !host.contains { "/?#*".contains($0) || $0.isWhitespace }
  }

  /// Whether only programs on this machine can reach the server.
  var isLocal: Bool { host == "localhost" || host == "::1" || OriginGate.isLoopback(host) }

  /// Returns the accepted keys; empty if no key is needed.
  func keys() throws -> [String] {
    if let apiKey {
      guard !apiKey.isEmpty else { throw ValidationError("--api-key: the key is empty") }
      return [apiKey]
    }
    guard let path = apiKeyFile else { return [] }
    let bytes = try File<FileError>(path, links: .followed).contents(limit: 1 << 20)
    // A header never ends with blanks, so a key with some at its end could not be sent.
    let keys = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map { line in
      String(line.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }.filter { !$0.isEmpty }
    guard !keys.isEmpty else { throw Failure("\(path): there is no key in it") }
    return keys
  }
}
