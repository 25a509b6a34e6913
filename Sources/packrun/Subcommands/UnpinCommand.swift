// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import PackFormat
import PackRuntime

/// `packrun unpin`: frees what `pin` left in memory.
struct UnpinCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpin", abstract: "Free the memory that packrun pin filled.")

  @Argument(help: "The pack; or use --all.", completion: .directory)
  var pack: String?

  @Flag(help: "Free this user's replicas of all packs.")
  var all = false

  func validate() throws {
    if (pack == nil) != all { throw ValidationError("name a pack, or use --all") }
  }

  func run() throws {
    let freed = try pack.map { try PinnedReplicas.unpin(Pack.open(named: $0)) } ?? PinnedReplicas.unpinAll()
    if freed.isEmpty { Terminal.note("nothing is pinned") }
    for folder in freed { Output.print(line: "freed \(folder.oneLine)") }
  }
}
