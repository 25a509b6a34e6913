// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Console

@Suite("The line that shows progress")
struct ProgressTests {
  private func line(_ done: Int = 1 << 30, seconds: Double = 10, showsBytes: Bool = true) -> ProgressLine {
    ProgressLine(label: "converting", done: done, total: 4 << 30, seconds: seconds, showsBytes: showsBytes)
  }

  @Test("The line shows the percentage, the bytes, the rate and the time left")
  func content() {
    #expect(
      line().text(columns: 120, isUTF8: true)
        == "converting [███████                       ] 25 %, 1.0 GiB of 4.0 GiB, 102.4 MiB/s, 0:30 left")
    #expect(
      line(showsBytes: false).text(columns: 120, isUTF8: false) == "converting [#######                       ] 25 %, 0:30 left")
    #expect(line(0).text(columns: 120, isUTF8: false).hasSuffix("] 0 %, 0 B of 4.0 GiB, 0 B/s"))
  }

  @Test("The line fits any terminal", arguments: 1...200)
  func width(columns: Int) {
    for showsBytes in [true, false] {
      let text = line(showsBytes: showsBytes).text(columns: columns, isUTF8: false)
      #expect(text.count < columns)
      // The most important parts stay longest.
      if columns > 16 { #expect(text.hasPrefix("converting") && text.contains("25 %"), "\(text)") }
    }
  }

  @Test(
    "Times are written in hours, minutes and seconds",
    arguments: [(0, "0:00"), (0.2, "0:01"), (59, "0:59"), (357, "5:57"), (3723, "1:02:03"), (1e12, "99:59:59")])
  func time(seconds: Double, text: String) {
    #expect(ProgressLine.time(seconds) == text)
  }
}
