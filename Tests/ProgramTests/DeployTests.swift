// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@Suite(
  "deploy/: more than one machine", .serialized, .enabled(if: Server.isBuilt, "packserve is not built: set GGUFPACK_SERVER"),
  .enabled(
    if: Server.hasClients, "Python has not the clients that scripts/fetch-python-packages gets and GGUFPACK_PYTHON names")
)
struct DeployTests {
  @Test("Units, manifests and the container file are valid, and name existing options")
  func files() throws {
    let result = try RunningServer.check(
      "check-deploy", [URL(filePath: try Program.packserve.path).deletingLastPathComponent().path])
    #expect(result.exitCode == 0 && result.text == "all as expected\n", "\(result.text)\(result.errors)")
  }

  @Test(
    "A conversation returns to its server, and if one of two is killed under load, no client sees an error or a different answer",
    .timeLimit(.minutes(5)), arguments: ["nginx", "litellm"])
  func balancer(kind: String) throws {
    let (folder, pack) = try Fixture.pack()
    let servers = try (0..<2).map { _ in try RunningServer(pack, ["--api-key", "sesame"]) }
    let result = try RunningServer.check("check-balancer", [kind] + servers.flatMap { [$0.url, "\($0.processID)"] })
    #expect(result.exitCode == 0 && result.text == "all as expected\n", "\(result.text)\(result.errors)")
    withExtendedLifetime((folder, servers)) {}
  }
}
