// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Finds stop strings in a text that comes in pieces, however it is divided.
///
/// Text that may be the beginning of a stop string is held back until that is decided. The stop string that is complete first is
/// used, and of several the longest. That string and what follows are not returned.
public struct StopMatcher: Sendable {
  private let stops: [[UInt8]]
  private var pending: [UInt8] = []
  /// Whether a stop string has been seen; nothing is returned afterwards.
  public private(set) var isStopped = false

  /// Makes a matcher of `stops`; empty ones are ignored.
  public init(_ stops: [String]) {
    self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty }
  }

  /// Adds the next piece and returns the text that is now known to belong to the answer.
  ///
  /// - Complexity: O(piece · total length of the stop strings).
  public mutating func append(_ piece: String) -> String {
    guard !isStopped else { return "" }
    guard !stops.isEmpty else { return piece }
    for byte in piece.utf8 {
      pending.append(byte)
      let found = stops.filter { pending.count >= $0.count && pending.suffix($0.count).elementsEqual($0) }
      if let longest = found.max(by: { $0.count < $1.count }) {
        isStopped = true
        pending.removeLast(longest.count)
        return take(pending.count)
      }
    }
    return take(pending.count - waiting())
  }

  /// Returns what is still held back at the end of the text.
  public mutating func finish() -> String { take(pending.count) }

  /// Returns the number of bytes at the end that may be the beginning of a stop string.
  private func waiting() -> Int {
    var most = 0
    for stop in stops {
      for length in stride(from: min(stop.count - 1, pending.count), to: most, by: -1)
      where pending.suffix(length).elementsEqual(stop.prefix(length)) {
        most = length
        break
      }
    }
    return most
  }

  private mutating func take(_ count: Int) -> String {
    let text = String(decoding: pending.prefix(count), as: UTF8.self)
    pending.removeFirst(count)
    return text
  }
}
