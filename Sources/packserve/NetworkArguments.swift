// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import Glibc

/// Where the server listens, whom it answers, and how it ends.
struct NetworkArguments: ParsableArguments {
  @Option(help: "The address to listen at; 0.0.0.0 for all of this machine's.")
  var host = "127.0.0.1"

  @Option(help: "The port to listen at; 0 for any that is free.")
  var port = 8080

  @Option(help: "Answer only requests that carry this key. Others on this machine can see it; --api-key-file hides it.")
  var apiKey: String?

  @Option(help: "The same for the keys in a file, one a line.", completion: .file())
  var apiKeyFile: String?

  @Option(name: .customLong("max-body"), help: "Megabytes of a request at most.")
  var bodyMegabytes = 16

  @Option(name: .customLong("max-connections"), help: "Connections at a time; more wait.")
  var connections = 1024

  @Option(name: .customLong("drain"), help: "Seconds that answers under way get when the server is asked to end.")
  var drainSeconds = 30

  func validate() throws {
    if !(0...65535).contains(port) { throw ValidationError("--port must be between 0 and 65535") }
    if !(1...1024).contains(bodyMegabytes) { throw ValidationError("--max-body must be between 1 and 1024") }
    if !(1...65536).contains(connections) { throw ValidationError("--max-connections must be between 1 and 65536") }
    if !(0...86400).contains(drainSeconds) { throw ValidationError("--drain must be between 0 and 86400") }
    if apiKey != nil, apiKeyFile != nil { throw ValidationError("give --api-key or --api-key-file, not both") }
  }

  /// The keys that open the server; empty if it is open.
  func keys() throws -> [String] {
    if let apiKey {
      guard !apiKey.isEmpty else { throw ValidationError("--api-key: the key is empty") }
      return [apiKey]
    }
    guard let path = apiKeyFile else { return [] }
    let bytes = try File<FileError>(path, links: .followed).contents(limit: 1 << 20)
    let keys = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map {
      String($0.trimmingPrefix { $0 == " " })
    }.filter { !$0.isEmpty }
    guard !keys.isEmpty else { throw Failure("\(path): there is no key in it") }
    return keys
  }
}
