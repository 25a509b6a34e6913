// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import PackFormat
import Repack

/// `ggufpack repack`: makes a pack for another machine from a pack, without the source.
struct RepackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repack", abstract: "Rewrite a pack for another number of nodes or another placement, without the GGUF.",
    discussion: "The pack is verified first.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Option(name: .shortAndLong, help: "The pack to write.", completion: .directory)
  var output: String

  @OptionGroup var shape: PackShapeArguments
  @OptionGroup var writing: PackWritingArguments

  func validate() throws { try checkOutput(output) }

  func run() throws {
    let source = try Pack.open(named: pack)
    let options = shape.options
    let plan = try PackPlan(tensors: source.manifest.tensors, options: options)
    if shape.plan { return show(plan, to: output, options, choice: shape.choice) }
    try write(PackConverter(source, plan: plan), to: output, writing, verifying: source, choice: shape.choice)
  }
}
