// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

@testable import Generation

struct StopMatcherTests {
  @Test(
    "However a text is divided, the output ends before the stop string that is completed first",
    arguments: [
      ("one two</s>three", ["</s>"], "one two"), ("aaab", ["aab"], "a"), ("abc", ["abc", "b"], "a"), ("xabcd", ["bc", "abc"], "x"),
      ("日本語。終", ["。"], "日本語"), ("nothing", ["thinx", "gg"], "nothing"), ("ends in </", ["</s>"], "ends in </"),
      ("", ["x"], ""), ("free", [], "free"), ("any", [""], "any"), ("\n\nUser: hi", ["\nUser:"], "\n"),
    ])
  func cuts(text: String, stops: [String], expected: String) {
    for size in 1...6 {
      var matcher = StopMatcher(stops)
      var output = ""
      var rest = Substring(text)
      while !rest.isEmpty {
        output += matcher.append(String(rest.prefix(size)))
        rest = rest.dropFirst(size)
      }
      output += matcher.finish()
      #expect(output == expected)
      #expect(matcher.isStopped == (expected != text))
    }
  }

  @Test("Text that cannot become a stop string is not held back")
  func waiting() {
    var matcher = StopMatcher(["</s>", "STOP"])
    #expect(matcher.append("hello <") == "hello ")
    #expect(matcher.append("b> ST") == "<b> ")
    #expect(matcher.append("OP more") == "")
    #expect(matcher.isStopped && matcher.append("more") == "" && matcher.finish() == "")
  }
}
