// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Divides a model's time between reading prompts and writing answers while there are both.
///
/// Prompts are read in chunks between the steps of answers. Each second of steps earns prompts `share / (1 - share)` seconds. A
/// chunk may begin as soon as no time is owed, so a new prompt begins at once, and its next chunks wait until time has been earned.
struct PromptShare {
  /// The part of the time for prompts, above 0 and below 1.
  let share: Double
  /// The intended duration of a chunk in seconds, which is also how long answers wait for it.
  static let chunkSeconds = 0.2
  /// The number of tokens in a chunk while the time for a token is not known yet.
  private static let firstChunk = 64

  /// Seconds that prompts have earned: negative if they have used more than their share.
  private var credit = 0.0
  private var secondsPerToken: Double?

  init(_ share: Double) { self.share = min(max(share, 0.01), 0.99) }

  /// Whether a chunk may be read although answers wait.
  var mayRead: Bool { credit >= 0 }

  /// Returns the number of tokens in the next chunk while answers wait: a multiple of 16, unless `batch` is less.
  func chunk(batch: Int) -> Int {
    let wanted = secondsPerToken.map { Self.chunkSeconds / max($0, 1e-9) } ?? Double(Self.firstChunk)
    return min(batch, max(16, Int(min(wanted, 65536)) / 16 * 16))
  }

  /// Notes a step of answers that was made while prompts were waiting.
  mutating func noteWriting(_ seconds: Double) { credit = min(0, credit + seconds * share / (1 - share)) }

  /// Notes a chunk of a prompt.
  ///
  /// - Parameter isShared: Whether answers waited for it.
  mutating func noteReading(_ tokens: Int, _ seconds: Double, isShared: Bool) {
    let latest = seconds / Double(max(tokens, 1))
    secondsPerToken = secondsPerToken.map { 0.7 * $0 + 0.3 * latest } ?? latest
    credit = isShared ? credit - seconds : 0
  }
}
