// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import PackFormat
import PackRuntime
import Repack

/// The layout options of every command that writes a new layout.
struct PackShapeArguments: ParsableArguments {
  @Option(help: "How many NUMA nodes the pack is for, 1 to 1024. (default: as many as this machine has)")
  var nodes: Int?

  @Option(
    help: "Alignment of the blobs: a power of two from 4096 to 1G, such as 64K, 2M or 1G.", completion: .list(["64K", "2M", "1G"]),
    transform: Alignment.init)
  var align = Alignment.standard

  @Option(help: "shard: each weight's rows are divided over the nodes; mirror: every node has a replica of everything.")
  var placement = PackManifest.Placement.shard

  @Flag(help: "Write a file for each node of a mirror, instead of one file for all nodes.")
  var copies = false

  @Flag(help: "Print what would be written, and write nothing.")
  var plan = false

  func validate() throws {
    if let nodes, !(1...1024).contains(nodes) { throw ValidationError("--nodes takes 1 to 1024.") }
    guard !copies || placement == .mirror else { throw ValidationError("--copies goes with --placement mirror.") }
  }

  /// The options that were given, with defaults that fit this machine: the nodes whose CPUs and memory this process may use.
  var options: PackOptions {
    var options = PackOptions()
    options.nodeCount = nodes ?? min(max(Topology.read().usableNodes.count, 1), 1024)
    options.alignment = align.byteCount
    options.placement = placement
    options.copies = copies
    return options
  }
}

extension PackShapeArguments {
  /// The addition to a line about the pack's nodes if the user did not choose their number.
  var choice: String { nodes == nil ? " (as many as this machine has; --nodes makes a pack for another number)" : "" }
}

/// Refuses `-`, which means standard output elsewhere: a result gets its name only when it is complete.
func checkOutput(_ output: String?) throws {
  if output == "-" { throw ValidationError("--output -: this cannot be written to standard output; name a file or a folder") }
}

/// The options of every command that writes something.
struct WritingArguments: ParsableArguments {
  @Flag(help: "Replace the output if it exists.")
  var force = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors.")
  var quiet = false
}

/// The options of every command that writes a pack.
struct PackWritingArguments: ParsableArguments {
  @OptionGroup var writing: WritingArguments

  @Option(
    defaultAsFlag: Self.standardLevel, parsing: .next,
    help:
      "Store blobs as zstd frames of this level (3 if none is given); a tensor for which that saves less than 3 % stays as it is.")
  var compress: Int?

  @Flag(
    help: """
      Resume an interrupted run, and keep what is done if this run is interrupted. With --compress, a tensor counts as done only when \
      all of its rows are written.
      """)
  var resume = false

  func validate() throws {
    if let compress, !FrameCodec.levels.contains(compress) {
      throw ValidationError("--compress takes levels 1 to \(FrameCodec.levels.upperBound).")
    }
  }

  /// The default level of zstd itself.
  static let standardLevel = 3
}

/// Writes a pack with `converter`, shows progress, and prints a summary.
func write(
  _ converter: PackConverter, to target: String, level: Int?, resumes: Bool, replaces: Bool, isQuiet: Bool,
  verifying source: Pack? = nil, choice: String = ""
) throws {
  var converter = converter
  converter.writer = "ggufpack \(Version.number)"
  converter.compressionLevel = level
  converter.resumes = resumes
  do {
    try withProgress("converting", total: converter.byteCount, isQuiet: isQuiet) { advance in
      try converter.run(to: target, replacing: replaces, progress: advance) { () throws(PackError) in
        if let source { try verifyFirst(source, isQuiet: isQuiet) }
      }
    }
  } catch PackError.interrupted {
    throw Failure(interruption(of: target, resumes: resumes), exitCode: .interrupted)
  }
  if !isQuiet { Output.print(line: try summary(of: target, choice)) }
}

/// Returns the message about a pack that was not finished, and how to resume it.
private func interruption(of target: String, resumes: Bool) -> String {
  resumes
    ? "\(target): interrupted; what is done is kept, and the same command resumes the run"
    : "\(target): interrupted; nothing is left of it. A run with --resume can be resumed"
}

/// Writes a pack with `converter` and the given arguments.
func write(
  _ converter: PackConverter, to target: String, _ arguments: PackWritingArguments, verifying source: Pack? = nil,
  choice: String
) throws {
  try write(
    converter, to: target, level: arguments.compress, resumes: arguments.resume, replaces: arguments.writing.force,
    isQuiet: arguments.writing.quiet, verifying: source, choice: choice)
}

/// Returns one line about a pack that was just written.
private func summary(of path: String, _ choice: String) throws -> String {
  let manifest = try Pack.open(path).manifest
  let content = manifest.blobs.reduce(0) { $0 + $1.byteCount }
  let stored = manifest.blobs.reduce(0) { $0 + $1.storedByteCount }
  let saving = stored == content ? "" : ", compressed to \(ByteCount(stored))"
  return
    "\(path.oneLine): \(Count(manifest.tensors.count, "tensor")), \(ByteCount(content))\(saving) for \(Count(manifest.nodeCount, "node"))"
    + "\(choice), \(manifest.placement)"
}

/// Prints what a plan would write.
func show(_ plan: PackPlan, to target: String, _ options: PackOptions, choice: String) {
  Output.print(line: "\(target.oneLine) would have, for \(Count(options.nodeCount, "node"))\(choice):")
  for share in plan.shares {
    let nodes = share.node.map { "node \($0)" } ?? "all nodes"
    Output.print(
      line: "  \(share.file) for \(nodes): \(Count(share.byteCount, "byte")) (\(ByteCount(share.byteCount))), "
        + "\(Count(share.tensorCount, "tensor")), \(Count(share.rowCount, "row")), \(Count(share.paddingByteCount, "byte")) of padding"
    )
  }
}
