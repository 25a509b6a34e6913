// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import Glibc
import ModelConsole
import PackFormat
import PackRuntime

/// `packrun pin`: leaves a pack's replicas in memory.
struct PinCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pin",
    abstract: "Keep a pack's weights in memory, each on its node, so that the pack starts without reading the disk.")

  @Argument(help: "The pack; or use --list.", completion: .directory)
  var pack: String?

  @Flag(help: "List what this user has pinned, and how large it is.")
  var list = false

  @OptionGroup var arguments: PlacementArguments

  @Option(help: "The filesystem that holds them.")
  var place = PinnedReplicas.PlaceKind.auto

  func validate() throws {
    if (pack == nil) != list { throw ValidationError("name a pack, or use --list") }
  }

  func run() throws {
    guard let pack else { return try printList() }
    try pin(try Pack.open(named: pack))
  }

  private func printList() throws {
    let pinned = try PinnedReplicas.list()
    guard !pinned.isEmpty else { return Terminal.note("nothing is pinned") }
    var table = Table([("pack", .left), ("size", .right), ("replicas", .right), ("state", .left), ("folder", .left)])
    for pack in pinned {
      table.append([
        (pack.path ?? "unknown").oneLine, "\(ByteCount(pack.byteCount))", "\(pack.replicaCount)", pack.state.rawValue,
        pack.folder.oneLine,
      ])
    }
    Output.print(lines: table.lines(columns: StandardStream.output.columns))
  }

  private func pin(_ pack: Pack) throws {
    let options = arguments.memoryOptions(nil)
    // If a signal ended the program at once, half-filled replicas would stay in memory.
    Interrupt.watch([SIGINT, SIGTERM, SIGHUP])
    let folder = try PinnedReplicas.pin(
      pack, plan: arguments.teamPlan(pack), in: PinnedReplicas.place(place), options: options)
    Output.print(line: "pinned \(pack.path.oneLine) in \(folder.oneLine)")
  }
}

extension PinnedReplicas.PlaceKind: ExpressibleByArgument {}
