// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import HTTPTypes
import Hummingbird
import NIOCore
import ServerPage

/// The page at `/`: a single response with everything it needs, so that it works without a network, under headers that permit nothing else.
enum Page {
  /// The page, divided at the places for a nonce.
  private static let parts: [Substring] = {
    // Split the markup before the script is inserted, because the script may contain these words.
    let markup = unsafe text(server_page_markup()).split(separator: "@NONCE@", omittingEmptySubsequences: false)
    return markup.map { part in
      guard let place = ["@STYLE@", "@SCRIPT@"].first(where: part.contains), let range = part.firstRange(of: place) else {
        return part
      }
      let content = unsafe text(place == "@STYLE@" ? server_page_style() : server_page_script())
      return Substring(part[..<range.lowerBound] + content + part[range.upperBound...])
    }
  }()

  private static func text(_ text: server_page_text) -> String {
    unsafe String(decoding: UnsafeBufferPointer(start: text.bytes, count: text.length), as: UTF8.self)
  }

  /// Returns the page with a fresh nonce.
  static func response() -> Response {
    let nonce = (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
    let policy = [
      "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'", "connect-src 'self'", "img-src data:",
      "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]
    var headers: HTTPFields = [
      .contentType: "text/html; charset=utf-8", .cacheControl: "no-store", .contentSecurityPolicy: policy.joined(separator: "; "),
      .xContentTypeOptions: "nosniff",
    ]
    for (name, value) in [("referrer-policy", "no-referrer"), ("cross-origin-opener-policy", "same-origin")] {
      if let name = HTTPField.Name(name) { headers[name] = value }
    }
    return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(string: parts.joined(separator: nonce))))
  }
}
