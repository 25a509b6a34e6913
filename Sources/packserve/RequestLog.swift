// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import HTTPTypes
import Hummingbird
import Logging

/// Middleware that logs each request once its response is sent, and puts the id in that line into the response.
///
/// The content of requests and responses is never logged.
struct RequestLog: RouterMiddleware {
  typealias Context = BasicRequestContext

  /// The id of the request that the current task works on.
  @TaskLocal static var id = ""

  let logger: Logger

  /// The paths that monitoring asks for repeatedly.
  private static let quiet = ["/health", "/ready", "/metrics", "/slots"]

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    let start = ContinuousClock.now
    var response = try await Self.$id.withValue(context.id) { try await next(request, context) }
    if let name = HTTPField.Name("x-request-id") { response.headers[name] = context.id }
    let level: Logger.Level = Self.quiet.contains(request.uri.path) && response.status.code < 400 ? .debug : .info
    guard logger.logLevel <= level else { return response }
    // A client can make up any path, so it is shortened.
    let (method, path) = (request.method.rawValue, String(request.uri.path.prefix(200)))
    let (status, body) = (response.status.code, response.body)
    @Sendable func note(_ outcome: Logger.Message) {
      let milliseconds = ((ContinuousClock.now - start) / .microseconds(1)).rounded() / 1000
      logger.log(
        level: level, outcome,
        metadata: [
          "id": .string(context.id), "method": .string(method), "path": .string(path), "status": .stringConvertible(status),
          "milliseconds": .stringConvertible(milliseconds),
        ])
    }
    response.body = ResponseBody(contentLength: body.contentLength) { writer in
      do {
        try await body.write(writer)
        note("answered")
      } catch {
        note("client left")
        throw error
      }
    }
    return response
  }
}
