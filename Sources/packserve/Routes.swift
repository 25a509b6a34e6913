// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import HTTPTypes
import Hummingbird
import JSON
import Logging
import NIOCore
import Serving

/// The addresses and their handlers.
struct Routes: Sendable {
  private let engine: Engine
  private let arguments: NetworkArguments
  private let log: Logger
  private var bodyLimit: Int { arguments.bodyMegabytes << 20 }

  init(_ engine: Engine, _ arguments: NetworkArguments, log: Logger) {
    (self.engine, self.arguments, self.log) = (engine, arguments, log)
  }

  func router(keys: [String]) -> Router<BasicRequestContext> {
    let router = Router(context: BasicRequestContext.self)
    router.add(middleware: RequestLog(logger: log))
    router.add(middleware: OriginGate(allowed: arguments.origins, isLocal: arguments.isLocal))
    router.add(middleware: Gate(keys: keys))
    for path in ["/v1/chat/completions", "/chat/completions"] {
      router.post(RouterPath(path)) { request, _ in try await answer(request, ChatCompletionRequest.read) }
    }
    for path in ["/v1/completions", "/completions"] {
      router.post(RouterPath(path)) { request, _ in try await answer(request, CompletionRequest.read) }
    }
    for path in ["/v1/embeddings", "/embeddings"] {
      router.post(RouterPath(path)) { request, _ in try await answer(request, EmbeddingsRequest.read) }
    }
    router.post("/v1/responses") { request, _ in try await answer(request, ResponsesRequest.read) }
    router.post("/v1/messages") { request, _ in try await answer(request, MessagesRequest.read) }
    router.get("/") { _, _ in Page.response() }
    addFacts(to: router)
    addTexts(to: router)
    refuseOtherMethods(router)
    return router
  }

  /// Answers 405 (RFC 9110, section 15.5.6) if an address exists, but not for the method.
  private func refuseOtherMethods(_ router: Router<BasicRequestContext>) {
    let methods: [HTTPRequest.Method] = [.get, .head, .query, .post, .put, .patch, .delete, .options, .trace, .connect]
    let routes = Dictionary(grouping: router.routes, by: \.path.description)
    for (path, routes) in routes {
      let allowed = routes.map(\.method)
      let names = allowed.map(\.rawValue).sorted().joined(separator: ", ")
      for method in methods where !allowed.contains(method) {
        router.on(RouterPath(path), method: method) { request, _ in
          var response = Response(.wrongMethod(allowed: names), to: request)
          response.headers[.allow] = names
          return response
        }
      }
    }
  }

  // MARK: Answers

  private func answer(
    _ request: Request, _ read: @escaping @Sendable (JSONValue, ServedPack) throws(InterfaceError) -> InterfaceRequest
  ) async throws -> Response {
    var response: Response
    do {
      // If the client leaves before the whole response is ready, its request is cancelled.
      response = try await request.body.consumeWithCancellationOnInboundClose { body in
        let ready = try engine.ready()
        let asked = try read(try await document(body), ready.pack)
        guard asked.isStreamed else { return try await whole(asked, ready.scheduler) }
        return stream(try submit(asked.requests, ready.scheduler), asked)
      }
    } catch let error as InterfaceError {
      response = Response(error, to: request)
    }
    // Watching a connection for its end uses it up: Hummingbird closes it, so the client must be told.
    response.headers[.connection] = "close"
    return response
  }

  /// Returns the body as a document.
  private func document(_ body: RequestBody) async throws -> JSONValue {
    var bytes: [UInt8] = []
    for try await part in body {
      guard bytes.count + part.readableBytes <= bodyLimit else { throw InterfaceError.tooLarge(limit: bodyLimit) }
      bytes += part.readableBytesView
    }
    if arguments.logPrompts {
      log.info("asked", metadata: ["id": .string(RequestLog.id), "body": .string(String(decoding: bytes, as: UTF8.self))])
    }
    do throws(JSONError) { return try JSONValue(parsing: bytes) } catch { throw InterfaceError.badBody("not JSON: \(error)") }
  }

  private func submit(
    _ requests: some Sequence<AnswerRequest>, _ scheduler: Scheduler
  ) throws(InterfaceError) -> [AsyncStream<AnswerEvent>] {
    try requests.map { request throws(InterfaceError) in
      do throws(ServingError) { return try scheduler.submit(request) } catch { throw .serving(error) }
    }
  }

  private func whole(_ asked: InterfaceRequest, _ scheduler: Scheduler) async throws -> Response {
    var encoder = asked.encoder
    let count = asked.requests.count
    // A long list goes through the queue in parts, so that other requests get their turn in between.
    let most = asked.isList ? scheduler.slots.count : count
    for start in stride(from: 0, to: count, by: most) {
      for await part in merge(try submit(asked.requests[start..<min(start + most, count)], scheduler)) {
        guard case .event(let event, let index) = part else { continue }
        if case .failed(let error) = event { throw InterfaceError.serving(error) }
        _ = encoder.take(event, ofAnswer: start + index)
      }
      try Task.checkCancellation()
    }
    return Response(encoder.document)
  }

  private func stream(_ answers: [AsyncStream<AnswerEvent>], _ asked: InterfaceRequest) -> Response {
    var headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-cache"]
    // Without this header, nginx would buffer the events.
    if let name = HTTPField.Name("x-accel-buffering") { headers[name] = "no" }
    let body = ResponseBody { writer in
      var encoder = asked.encoder
      func send(_ events: [ServerSentEvent]) async throws {
        guard !events.isEmpty else { return }
        try await writer.write(ByteBuffer(string: events.map(\.text).joined()))
      }
      try await send(encoder.begin())
      for await part in merge(answers) {
        switch part {
        case .tick: try await writer.write(ByteBuffer(string: ServerSentEvent.comment("waiting")))
        case .event(.read(let count), let index):
          let total = asked.requests[index].prompt.count
          if count < total {
            try await writer.write(ByteBuffer(string: ServerSentEvent.comment("read \(count) of \(total) tokens of the prompt")))
          }
        case .event(let event, let index): try await send(encoder.take(event, ofAnswer: index))
        }
      }
      try await send(encoder.finish())
      try await writer.finish(nil)
    }
    return Response(status: .ok, headers: headers, body: body)
  }

  // MARK: Facts

  private func addFacts(to router: Router<BasicRequestContext>) {
    router.get("/health") { _, _ in
      if let progress = engine.progress {
        return Response(["status": "loading model", "progress": .number(progress)], status: .serviceUnavailable)
      }
      _ = try engine.ready()
      return Response(["status": "ok"])
    }
    router.get("/ready") { _, _ in
      _ = try engine.ready()
      return Response(["status": "ready"])
    }
    for path in ["/v1/models", "/models"] {
      router.get(RouterPath(path)) { _, _ in Response(["object": "list", "data": [try engine.ready().pack.card]]) }
    }
    // A name may have slashes, which clients escape or not.
    router.get("/v1/models/**") { _, context in
      let pack = try engine.ready().pack
      let path = context.parameters.getCatchAll().joined(separator: "/")
      let name = path.removingPercentEncoding ?? path
      guard name == pack.name else { throw InterfaceError.noSuchModel(name, served: pack.name) }
      return Response(pack.card)
    }
    router.get("/openapi.json") { _, _ in
      Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(string: OpenAPI.text)))
    }
    router.get("/props") { _, _ in
      let ready = try engine.ready()
      return Response(ready.pack.properties(slots: ready.scheduler.slots.count))
    }
    router.get("/slots") { _, _ in Response(SlotStatus.document(try engine.ready().scheduler.slots)) }
    router.get("/metrics") { _, _ in
      let ready = try engine.ready()
      let text = MetricsText.of(ready.scheduler, ready.traffic)
      return Response(
        status: .ok, headers: [.contentType: "text/plain; version=0.0.4"], body: .init(byteBuffer: ByteBuffer(string: text)))
    }
    router.get("/placement") { _, _ in
      let ready = try engine.ready()
      var document = ready.placement.document()
      document["reading"] = .array(ready.traffic.map(\.document))
      document["pack_digest"] = .string(ready.pack.digest)
      return Response(.object(document))
    }
  }

  // MARK: Texts

  private func addTexts(to router: Router<BasicRequestContext>) {
    func add(_ path: RouterPath, _ answer: @escaping @Sendable (JSONValue, ServedPack) throws(InterfaceError) -> JSONValue) {
      router.post(path) { request, _ in
        let pack = try engine.ready().pack
        return Response(try answer(try await document(request.body), pack))
      }
    }
    add("/v1/messages/count_tokens", MessagesRequest.countTokens)
    add("/tokenize", TextRequest.tokenize)
    add("/detokenize", TextRequest.detokenize)
    add("/apply-template", TextRequest.applyTemplate)
  }
}
