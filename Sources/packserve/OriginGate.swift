// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import HTTPTypes
import Hummingbird
import JSON

/// Lets only those pages in browsers use the server that may: its own, and those of the origins that are named.
///
/// A browser tells the origin of the page with each request that could do something. Without this gate, any page that somebody looks at
/// could make a server at 127.0.0.1 work. Programs outside browsers send no origin.
struct OriginGate: RouterMiddleware {
  typealias Context = BasicRequestContext

  /// Origins such as `https://chat.example.com`; `*` for all.
  let allowed: [String]
  /// Whether the server listens at this machine's own address only.
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

  /// Whether a page is the server's own. The name of a server at 127.0.0.1 must be one of this machine's: the owner of a name may let
  /// it point to 127.0.0.1.
  private func isOwn(_ origin: String, _ request: Request) -> Bool {
    guard let authority = request.head.authority, origin == "http://\(authority)" || origin == "https://\(authority)" else {
      return false
    }
    guard isLocal else { return true }
    let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
    return host == "localhost" || host == "[::1]" || Self.isLoopback(host)
  }

  /// Whether a host is an address that only this machine has: 127.0.0.0/8.
  static func isLoopback(_ host: some StringProtocol) -> Bool {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }

  /// What a browser asks before it lets a page of another origin send more than a form could.
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
