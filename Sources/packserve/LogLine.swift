// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Glibc
import JSON
import Logging

/// The formats of log lines.
enum LogFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  /// For people: `packserve: answered method=POST path=/v1/chat/completions status=200`.
  case text
  /// For programs: one JSON object per line.
  case json
}

/// A swift-log handler that writes to standard error in the chosen format.
struct LogLine: LogHandler {
  let format: LogFormat
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  init(_ format: LogFormat) { self.format = format }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    switch format {
    case .text:
      let level = event.level >= .warning ? "\(event.level): " : ""
      Terminal.note(
        level + ([event.message.description] + all.map { "\($0)=\(Self.quoted($1.description))" }).joined(separator: " "))
    case .json:
      _ = StandardStream.errors.write(
        Array((Self.json(event.level, event.message.description, all.map { ($0.key, $0.value) }) + "\n").utf8))
    }
  }

  /// Returns a line as a JSON object.
  static func json(
    _ level: Logger.Level, _ message: String, _ metadata: [(key: String, value: Logger.Metadata.Value)] = []
  ) -> String {
    var document: JSONObject = ["time": .string(time()), "level": .string(level.rawValue), "message": .string(message)]
    for (key, value) in metadata { document[key] = json(value) }
    return JSONValue.object(document).compact
  }

  /// Quotes a value that contains spaces, so that a line can be split at spaces.
  private static func quoted(_ text: String) -> String {
    text.isEmpty || text.contains(where: \.isWhitespace) ? "\"\(text)\"" : text
  }

  private static func json(_ value: Logger.Metadata.Value) -> JSONValue {
    switch value {
    case .string(let text): return .string(text)
    case .stringConvertible(let integer as Int): return .integer(Int128(integer))
    case .stringConvertible(let number as Double): return .number(number)
    case .stringConvertible(let other): return .string(other.description)
    case .array(let values): return .array(values.map(json))
    case .dictionary(let values): return .object(JSONObject(values.sorted { $0.key < $1.key }.map { ($0, json($1)) }))
    }
  }

  /// Returns the time in RFC 3339 format, in UTC.
  private static func time() -> String {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    var (seconds, date) = unsafe (now.tv_sec, tm())
    unsafe gmtime_r(&seconds, &date)
    func padded(_ number: Int, _ width: Int) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let day = unsafe "\(date.tm_year + 1900)-\(padded(Int(date.tm_mon) + 1, 2))-\(padded(Int(date.tm_mday), 2))"
    let clock = unsafe [date.tm_hour, date.tm_min, date.tm_sec].map { padded(Int($0), 2) }.joined(separator: ":")
    return "\(day)T\(clock).\(padded(now.tv_nsec / 1_000_000, 3))Z"
  }
}
