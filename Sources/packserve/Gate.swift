// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import HTTPTypes
import Hummingbird
import JSON
import NIOCore
import Serving

/// Middleware that turns errors into responses and refuses requests without a key.
struct Gate: RouterMiddleware {
  typealias Context = BasicRequestContext

  private let keys: [[UInt8]]
  /// Paths that need no key. Browsers cannot send a key for the page, which reveals nothing and asks for the key itself.
  private static let open = ["/", "/health", "/ready"]

  init(keys: [String]) { self.keys = keys.map { Array($0.utf8) } }

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    var response = await answer(request, context, next)
    // RFC 9110, section 9.3.2. A body would be taken for the next response.
    if request.method == .head { response.body = ResponseBody() }
    return response
  }

  private func answer(
    _ request: Request, _ context: Context, _ next: (Request, Context) async throws -> Response
  ) async -> Response {
    do {
      guard isAllowed(request) else { throw InterfaceError.unauthorized }
      return try await next(request, context)
    } catch let error as InterfaceError {
      return Response(error, to: request)
    } catch let error as HTTPError {
      guard error.status != .notFound else { return Response(.notFound, to: request) }
      return Response(.badBody(error.body ?? error.status.reasonPhrase), to: request, status: error.status)
    } catch {
      // Everything else happens while the body is read: it is malformed, or the client has closed the connection.
      let problem = error is CancellationError ? "the connection was closed before the answer was complete" : "\(error)"
      var response = Response(.badBody(problem), to: request)
      response.headers[.connection] = "close"
      return response
    }
  }

  private func isAllowed(_ request: Request) -> Bool {
    guard !keys.isEmpty, !Self.open.contains(request.uri.path) else { return true }
    var given = request.headers[.authorization] ?? ""
    given = given.lowercased().hasPrefix("bearer ") ? String(given.dropFirst(7)) : ""
    if given.isEmpty, let name = HTTPField.Name("x-api-key") { given = request.headers[name] ?? "" }
    let bytes = Array(given.utf8)
    // Every key is compared, so that the time does not reveal a partial match.
    return keys.reduce(false) { isSame($1, bytes) || $0 }
  }

  /// Compares two keys in a time that depends only on the length of `given`.
  private func isSame(_ key: [UInt8], _ given: [UInt8]) -> Bool {
    var difference = UInt8(key.count == given.count ? 0 : 1)
    for (index, byte) in given.enumerated() { difference |= byte ^ key[index % key.count] }
    return difference == 0
  }
}

extension Response {
  /// A response with a JSON document.
  init(_ document: JSONValue, status: HTTPResponse.Status = .ok) {
    self.init(
      status: status, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(string: document.compact)))
  }

  /// A response with an error, in the form of the interface that the request addressed.
  init(_ error: InterfaceError, to request: Request, status: HTTPResponse.Status? = nil) {
    let document = request.uri.path.hasPrefix("/v1/messages") ? error.anthropic : error.openAI
    self.init(document, status: status ?? HTTPResponse.Status(code: error.status))
    if let seconds = error.retrySeconds { headers[.retryAfter] = "\(seconds)" }
  }
}
