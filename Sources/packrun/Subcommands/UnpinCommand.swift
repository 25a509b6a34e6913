// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import PackFormat
import PackRuntime

/// Frees what `pin` left in memory.
struct UnpinCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpin", abstract: "Free the memory that packrun pin left filled.")

  @Argument(help: "The pack; without one, all packs of this user with --all.", completion: .directory)
  var pack: String?

  @Flag(help: "Free this user's replicas of all packs.")
  var all = false

  func validate() throws {
    if (pack == nil) != all { throw ValidationError("Name a pack, or say --all.") }
  }

  func run() throws {
    try reportingErrors {
      let gone = try pack.map { try PinnedReplicas.unpin(Pack.open($0)) } ?? PinnedReplicas.unpinAll()
      if gone.isEmpty { Terminal.note("nothing is pinned") }
      for folder in gone { Terminal.print("freed \(folder)\n") }
    }
  }
}
