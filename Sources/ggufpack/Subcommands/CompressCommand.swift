// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Files
import PackFormat
import Repack

/// `ggufpack compress`: stores a pack's blobs as zstd frames.
struct CompressCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compress", abstract: "Store a pack's blobs as zstd frames, for disks and networks; packrun unpacks them.",
    discussion: "The pack is verified first. It is replaced at the end, unless --output names another place.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Option(name: .shortAndLong, help: "The pack to write. (default: replace the pack)", completion: .directory)
  var output: String?

  @Option(help: "zstd level, 1 to 22.")
  var level = PackWritingArguments.standardLevel

  @OptionGroup var writing: WritingArguments

  func validate() throws {
    try checkOutput(output)
    guard FrameCodec.levels.contains(level) else { throw ValidationError("--level takes 1 to \(FrameCodec.levels.upperBound).") }
  }

  func run() throws {
    try store(pack, as: output, level: level, writing)
  }
}

/// `ggufpack decompress`: stores a pack's blobs uncompressed, as they are mapped.
struct DecompressCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decompress", abstract: "Store a compressed pack's blobs as they are, so that they can be mapped.",
    discussion: "The pack is verified first. It is replaced at the end, unless --output names another place.")

  @Argument(help: "The pack.", completion: .directory)
  var pack: String

  @Option(name: .shortAndLong, help: "The pack to write. (default: replace the pack)", completion: .directory)
  var output: String?

  @OptionGroup var writing: WritingArguments

  func validate() throws { try checkOutput(output) }

  func run() throws {
    try store(pack, as: output, level: nil, writing)
  }
}

/// Writes the pack at `path` with its blobs stored in another way, to `output` or in place.
private func store(_ path: String, as output: String?, level: Int?, _ writing: WritingArguments) throws {
  let pack = try Pack.open(named: path)
  if output == nil, pack.manifest.blobs.allSatisfy({ ($0.storage != nil) == (level != nil) }) {
    if !writing.quiet {
      Output.print(line: "\(path.oneLine): \(level == nil ? "not compressed" : "compressed already"); nothing to do")
    }
    return
  }
  try write(
    PackConverter(storing: pack), to: output ?? pack.path, level: level, resumes: false, replaces: writing.force || output == nil,
    isQuiet: writing.quiet, verifying: pack)
}
