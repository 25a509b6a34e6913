// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import PackFormat
import Repack

/// Options of every command that arranges a pack.
struct ArrangementArguments: ParsableArguments {
  @Option(help: "NUMA nodes that the pack is for, 1 to 1024.")
  var nodes = 1

  @Option(help: "What blobs are aligned to: 64K, 2M, 1G, or bytes.")
  var align = Alignment.standard

  @Option(help: "shard: each weight's rows are divided over the nodes; mirror: every node has a replica of everything.")
  var placement = PackManifest.Placement.shard

  @Flag(help: "With a mirror: write a file for each node instead of one for all.")
  var copies = false

  @Flag(help: "Print what would be written, and write nothing.")
  var plan = false

  func validate() throws {
    guard (1...1024).contains(nodes) else { throw ValidationError("--nodes takes 1 to 1024.") }
    guard !copies || placement == .mirror else { throw ValidationError("--copies goes with --placement mirror.") }
  }

  /// What was asked for.
  var options: PackOptions {
    var options = PackOptions()
    options.nodeCount = nodes
    options.alignment = align.byteCount
    options.placement = placement
    options.copies = copies
    return options
  }
}

/// Options of every command that writes something.
struct WritingArguments: ParsableArguments {
  @Flag(help: "Replace what is there.")
  var force = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors.")
  var quiet = false
}

/// Options of every command that writes a pack.
struct PackWritingArguments: ParsableArguments {
  @OptionGroup var writing: WritingArguments

  @Option(
    defaultAsFlag: Self.standardLevel, parsing: .next,
    help: "Store blobs as zstd frames of that level (3 if none is given), each tensor where that saves 3 % or more.")
  var compress: Int?

  @Flag(
    help: """
      Go on with what an interrupted run has left, and leave what is done if this one is interrupted. With --compress, what counts as \
      done is a whole tensor's rows.
      """)
  var resume = false

  func validate() throws {
    if let compress, !FrameCodec.levels.contains(compress) {
      throw ValidationError("--compress takes levels 1 to \(FrameCodec.levels.upperBound).")
    }
  }

  /// What zstd itself takes by default.
  static let standardLevel = 3
}

/// Writes a pack with `converter`, with progress, and says what it has become.
func write(
  _ converter: PackConverter, to target: String, level: Int?, resumes: Bool, replaces: Bool, isQuiet: Bool
) throws {
  var converter = converter
  converter.writer = "ggufpack \(GGUFPack.configuration.version)"
  converter.compressionLevel = level
  converter.resumes = resumes
  var progress = Progress("converting", total: converter.byteCount, isQuiet: isQuiet)
  try converter.run(to: target, replacing: replaces) { (bytes) throws(PackError) in try progress.advance(bytes) }
  progress.finish()
  if !isQuiet { print(try summary(of: target)) }
}

/// Writes a pack with `converter` as the arguments say.
func write(_ converter: PackConverter, to target: String, _ arguments: PackWritingArguments) throws {
  try write(
    converter, to: target, level: arguments.compress, resumes: arguments.resume, replaces: arguments.writing.force,
    isQuiet: arguments.writing.quiet)
}

/// One line about a pack that was just written.
private func summary(of path: String) throws -> String {
  let manifest = try Pack.open(path).manifest
  let content = manifest.blobs.reduce(0) { $0 + $1.byteCount }
  let stored = manifest.blobs.reduce(0) { $0 + $1.storedByteCount }
  let nodes = manifest.nodeCount == 1 ? "1 node" : "\(manifest.nodeCount) nodes"
  let saving = stored == content ? "" : ", compressed to \(ByteCount(stored))"
  return "\(path): \(manifest.tensors.count) tensors, \(ByteCount(content))\(saving) for \(nodes), \(manifest.placement)"
}

/// Prints what a plan would write.
func show(_ plan: PackPlan, to target: String) {
  print("\(target) would have:")
  for share in plan.shares {
    let who = share.node.map { "node \($0)" } ?? "all nodes"
    print(
      "  \(share.file) for \(who): \(share.byteCount) bytes (\(ByteCount(share.byteCount))), \(share.tensorCount) tensors, "
        + "\(share.rowCount) rows, \(share.paddingByteCount) bytes of padding")
  }
}
