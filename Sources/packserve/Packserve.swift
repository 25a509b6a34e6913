// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Dispatch
import Glibc
import PackFormat
import PackRuntime
import Tokenization

/// The program, which serves one pack over HTTP.
@main
struct Packserve: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "packserve",
    abstract: "Serve a pack over HTTP, with OpenAI's and Anthropic's APIs.",
    discussion: """
      Answers /v1/chat/completions, /v1/completions, /v1/responses, /v1/embeddings, /v1/messages, /v1/models, /tokenize, /detokenize, \
      /apply-template, /health, /ready, /props, /slots, /metrics, /placement and /openapi.json; / is a web page. The first SIGTERM or \
      Ctrl-C lets unfinished answers end; a second one ends the server. Exit code 2: the input cannot be used; 3: too little memory.
      """,
    version: Version.description)

  @OptionGroup var model: ServedModelArguments
  @OptionGroup var network: NetworkArguments

  /// Runs the program.
  static func main() {
    reportLostPages(prefix: "packserve: ")
    launch(ServerHabits.synonyms)
  }

  func run() throws {
    let pack = try model.model.open()
    // A fault in the input must show before the weights are read.
    let tokenizer = try Tokenizer(metadata: pack.metadata)
    let template = try model.template(pack, tokenizer)
    let keys = try network.keys()
    let certificate = try network.cert.map { try Certificate.configuration(chain: $0, key: network.key ?? "") }
    if network.logFormat == .json { Terminal.lineForm = { LogLine.json(.info, $0) } }
    if let room = OpenFileLimit.raise(for: network.connections) {
      Terminal.note("there is room for \(room) connections instead of \(network.connections); raise the limit with: ulimit -n")
    }
    let store = try model.store(pack)
    let spare = try model.spareCPUs(pack)
    Interrupt.watch([SIGINT, SIGTERM])
    let engine = Engine()
    engine.start(model, pack, tokenizer, template, store, spare)
    // All threads started from here on inherit these CPUs.
    if spare.cpus.isEmpty {
      Terminal.note("no CPU is left for HTTP, so it takes time from the threads that compute; use fewer --threads to leave one")
    } else if let refusal = spare.bindThisThread() {
      Terminal.note("HTTP may take time from the threads that compute: \(refusal)")
    }
    let server = Server(engine, network, keys: keys, certificate: certificate)
    let ended = DispatchSemaphore(value: 0)
    Task {
      await server.run()
      ended.signal()
    }
    ended.wait()
    if let failure = engine.failure { throw failure }
    engine.waitUntilEnded()
  }
}
