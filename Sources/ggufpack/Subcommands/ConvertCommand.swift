import ArgumentParser
import GGUF
import PackFormat
import Repack

/// `ggufpack convert`: from a GGUF to a pack.
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert", abstract: "Write the pack of a GGUF model.",
    discussion: "Of a model split into several files, name any one.")

  @Argument(help: "The model.", completion: .file(extensions: ["gguf"]))
  var model: String

  @Option(name: .shortAndLong, help: "The pack to write. (default: the model's name with .pack)", completion: .directory)
  var output: String?

  @Option(help: "NUMA nodes that the pack is for, 1 to 1024.")
  var nodes = 1

  @Option(help: "What blobs are aligned to: 64K, 2M, 1G, or bytes.")
  var align = Alignment.standard

  @Option(help: "shard: each weight's rows are divided over the nodes; mirror: every node has a replica of everything.")
  var placement = PackManifest.Placement.shard

  @Flag(help: "With a mirror: write a file for each node instead of one for all.")
  var copies = false

  @Flag(help: "Replace a pack that is there.")
  var force = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors.")
  var quiet = false

  func validate() throws {
    guard (1...1024).contains(nodes) else { throw ValidationError("--nodes takes 1 to 1024.") }
    guard !copies || placement == .mirror else { throw ValidationError("--copies goes with --placement mirror.") }
  }

  private var target: String {
    output ?? (model.hasSuffix(".gguf") ? String(model.dropLast(5)) : model) + ".pack"
  }

  func run() throws {
    try reportingErrors {
      var options = PackOptions()
      options.nodeCount = nodes
      options.alignment = align.byteCount
      options.placement = placement
      options.copies = copies
      let source = try GGUFModel.open(model)
      var converter = PackConverter(source, plan: try PackPlan(source, options: options))
      converter.writer = "ggufpack \(GGUFPack.configuration.version)"
      var progress = Progress("converting", total: converter.byteCount, isQuiet: quiet)
      try converter.run(to: target, replacing: force) { progress.advance($0) }
      progress.finish()
      if !quiet {
        let nodes = nodes == 1 ? "1 node" : "\(nodes) nodes"
        print("\(target): \(source.tensors.count) tensors, \(ByteCount(converter.byteCount)) for \(nodes), \(placement)")
      }
    }
  }
}
