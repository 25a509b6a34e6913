// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite(
  "The server's page, in a headless Chromium", .serialized,
  .enabled(if: Server.isBuilt, "packserve is not built: set GGUFPACK_SERVER"),
  .enabled(if: Server.hasChromium, "there is no chromium; scripts/install-packages --tests gets it"),
  .enabled(if: Server.gemma != nil, "GGUFPACK_GEMMA names no Gemma 3 270M; scripts/fetch-gemma gets it"))
struct ServerPageTests {
  @Test(
    "A person chats, stops, asks again, returns, gives a tool's result and sees where the weights are; no text becomes HTML",
    .timeLimit(.minutes(10)))
  func page() throws {
    let folder = try TemporaryFolder()
    let pack = folder.file("small.pack")
    let converted = try Program.ggufpack.run("convert", try #require(Server.gemma), "-o", pack, "--quiet")
    try #require(converted.exitCode == 0, "\(converted.errors)")
    let server = try RunningServer(pack, ["--api-key", "sesame", "--parallel", "2"])
    let result = try server.check("check-page", "sesame")
    #expect(result.exitCode == 0 && result.text == "all as expected\n", "\(result.text)\(result.errors)")
  }
}

extension Server {
  static let hasChromium = ["chromium", "google-chrome"].contains { name in
    (try? Program.run("/usr/bin/env", ["which", name]))?.exitCode == 0
  }
}
