// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// Tells how far a long work has come: a bar on a terminal, else one line for every tenth.
struct Progress {
  /// What is being done, such as `converting`.
  let label: String
  /// Bytes in all.
  let total: Int
  private let isQuiet: Bool
  private let isInteractive = Terminal.isInteractive
  private let start = ContinuousClock.now
  private var done = 0
  private var lastTenth = 0
  private var lastDraw = ContinuousClock.now

  /// Begins to tell of `total` bytes of work; tells nothing if `isQuiet`.
  init(_ label: String, total: Int, isQuiet: Bool) {
    self.label = label
    self.total = total
    self.isQuiet = isQuiet
  }

  /// Counts `bytes` more as done; throws `PackError.interrupted` if the user wants no more.
  mutating func advance(_ bytes: Int) throws(PackError) {
    try Interruption.shared.check()
    done += bytes
    guard !isQuiet, total > 0 else { return }
    if isInteractive {
      guard ContinuousClock.now - lastDraw > .milliseconds(80) || done == total else { return }
      lastDraw = .now
      drawBar()
    } else {
      let tenth = done * 10 / total
      guard tenth > lastTenth else { return }
      lastTenth = tenth
      Terminal.write("\(label): \(tenth * 10) %, \(ByteCount(done)) of \(ByteCount(total)), \(rate)\n")
    }
  }

  /// Removes the bar, so that what follows begins on a clean line.
  func finish() {
    if !isQuiet, isInteractive { Terminal.write("\r\u{1B}[K") }
  }

  private var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

  private var rate: String { "\(ByteCount(Int(Double(done) / max(seconds, 1e-6))))/s" }

  private func drawBar() {
    let left = seconds * Double(total - done) / Double(max(done, 1))
    let text = " \(ByteCount(done)) of \(ByteCount(total)), \(rate), \(Int(left.rounded(.up))) s left"
    let width = min(30, Terminal.columns - label.count - text.count - 4)
    let filled = max(0, width) * done / total
    let bar = width > 4 ? " [" + String(repeating: "█", count: filled) + String(repeating: " ", count: width - filled) + "]" : ""
    Terminal.write("\r\(label)\(bar)\(text)\u{1B}[K")
  }
}

/// A number of bytes as people read it: `1.5 GiB`.
struct ByteCount: CustomStringConvertible {
  private let bytes: Int

  /// For `bytes` bytes.
  init(_ bytes: Int) { self.bytes = bytes }

  var description: String {
    guard bytes >= 1024 else { return "\(bytes) B" }
    var value = Double(bytes) / 1024
    for unit in ["KiB", "MiB", "GiB"] {
      if value < 1000 { return "\(Self.rounded(value)) \(unit)" }
      value /= 1024
    }
    return "\(Self.rounded(value)) TiB"
  }

  private static func rounded(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
