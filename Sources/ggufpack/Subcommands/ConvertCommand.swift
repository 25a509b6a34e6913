// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import GGUF
import PackFormat
import Repack

/// `ggufpack convert`: makes a pack from a GGUF.
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert", abstract: "Make a pack from a GGUF model.",
    discussion: "If the model is split into several files, name any of them.")

  @Argument(help: "The model.", completion: .file(extensions: ["gguf"]))
  var model: String

  @Option(name: .shortAndLong, help: "The pack to write. (default: the model's name with the ending .pack)", completion: .directory)
  var output: String?

  @OptionGroup var shape: PackShapeArguments
  @OptionGroup var writing: PackWritingArguments

  func validate() throws { try checkOutput(output) }

  func run() throws {
    let source = try GGUFModel.open(model)
    let target = output ?? source.basePath + ".pack"
    let options = shape.options
    let plan = try PackPlan(source, options: options)
    if shape.plan { return show(plan, to: target, options, choice: shape.choice) }
    try write(PackConverter(source, plan: plan), to: target, writing, choice: shape.choice)
  }
}
