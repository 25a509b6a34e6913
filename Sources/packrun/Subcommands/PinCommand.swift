// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import Glibc
import PackFormat
import PackRuntime

/// Leaves a pack's replicas in memory.
struct PinCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pin",
    abstract: "Keep a pack's weights in memory, each on its node, so that the pack starts without reading the disk.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @OptionGroup var arguments: PlacementArguments

  @Option(help: "The filesystem that holds them.")
  var place = PinnedReplicas.PlaceKind.auto

  func run() throws {
    let pack = try Pack.open(named: pack)
    let options = arguments.memoryOptions(nil)
    // What is half filled would stay in memory.
    Interrupt.watch([SIGINT, SIGTERM, SIGHUP])
    let folder = try PinnedReplicas.pin(
      pack, plan: arguments.teamPlan(pack), in: PinnedReplicas.place(place), options: options)
    Output.print("pinned \(pack.path.oneLine) in \(folder.oneLine)")
  }
}

extension PinnedReplicas.PlaceKind: ExpressibleByArgument {}
