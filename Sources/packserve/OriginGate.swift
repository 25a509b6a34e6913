// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import HTTPTypes
import Hummingbird
import JSON

/// Middleware that admits requests from browsers only if the page is the server's own or from a listed origin.
///
/// A browser sends the page's origin with each request that could have an effect. Without this gate, any page that a user visits could make
/// a server at 127.0.0.1 work. Programs other than browsers send no origin.
struct OriginGate: RouterMiddleware {
  typealias Context = BasicRequestContext

  /// The admitted origins, such as `https://chat.example.com`; `*` admits all.
  let allowed: [String]
  /// Whether the server listens only at this machine's own address.
  let isLocal: Bool

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    guard let origin = request.headers[.origin] else { return try await next(request, context) }
    let isListed = allowed.contains(origin) || allowed.contains("*")
    guard isListed || isOwn(origin, request) else {
      return Response(
        [
          "error": [
            "message": .string("pages of \(origin) may not use this server; packserve's option --cors can allow them"),
            "type": "permission_error", "param": .null, "code": "origin_not_allowed",
          ]
        ], status: .forbidden)
    }
    if request.method == .options { return preflight(request, origin) }
    var response = try await next(request, context)
    if isListed {
      response.headers[.accessControlAllowOrigin] = origin
      response.headers[.accessControlExposeHeaders] = "retry-after, x-request-id"
    }
    response.headers[.vary] = "origin"
    return response
  }

  /// Returns whether a page is the server's own.
  ///
  /// A server at 127.0.0.1 must be addressed by a name of this machine, because anyone can let a name of theirs point to 127.0.0.1.
  private func isOwn(_ origin: String, _ request: Request) -> Bool {
    guard let authority = request.head.authority, origin == "http://\(authority)" || origin == "https://\(authority)" else {
      return false
    }
    guard isLocal else { return true }
    let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
    return host == "localhost" || host == "[::1]" || Self.isLoopback(host)
  }

  /// Returns whether a host is in 127.0.0.0/8, the addresses that only this machine has.
  static func isLoopback(_ host: some StringProtocol) -> Bool {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }

  /// Answers the preflight request, which a browser sends before a page of another origin may send more than a form could.
  private func preflight(_ request: Request, _ origin: String) -> Response {
    var headers: HTTPFields = [
      .accessControlAllowOrigin: origin, .accessControlAllowMethods: "GET, POST", .accessControlMaxAge: "600",
      .vary: "origin, access-control-request-headers",
    ]
    headers[.accessControlAllowHeaders] = request.headers[.accessControlRequestHeaders]
    if let asked = HTTPField.Name("access-control-request-private-network"), request.headers[asked] == "true",
      let name = HTTPField.Name("access-control-allow-private-network")
    {
      headers[name] = "true"
    }
    return Response(status: .noContent, headers: headers)
  }
}
