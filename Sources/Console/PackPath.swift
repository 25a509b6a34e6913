// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat
import SystemPackage

extension Pack {
  /// Opens the pack that a user named: by its folder, with or without the ending `.pack`.
  package static func open(named name: String) throws -> Pack {
    if let found = status(name) {
      let neighbour = withoutEnding(name) + ".pack"
      if found.type == .regular, neighbour != name {
        if isFolder(neighbour) { throw Failure("\(name): this is a file; the pack beside it is \(neighbour)") }
        if name.hasSuffix(".gguf") {
          throw Failure("\(name): this is a model, and only packs can be run; make one with: ggufpack convert \(name.shellWord)")
        }
      }
    } else if isFolder(name + ".pack") {
      return try open(name + ".pack")
    } else if status(name + ".gguf")?.type == .regular {
      throw Failure(
        "\(name): there is no such pack, only a model; make the pack with: ggufpack convert \((name + ".gguf").shellWord)")
    }
    return try open(name)
  }

  /// Returns whether the path leads to a folder, which a pack is.
  package static func isFolder(_ path: String) -> Bool { status(path)?.type == .directory }

  private static func status(_ path: String) -> Stat? { (try? Stat.find(path, failingAs: FileError.self)) ?? nil }

  private static func withoutEnding(_ path: String) -> String {
    path.hasSuffix(".gguf") ? String(path.dropLast(5)) : path
  }
}
