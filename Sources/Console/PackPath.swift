// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import PackFormat
import SystemPackage

extension Pack {
  /// Opens the pack that a person named: by its folder, without the ending `.pack`, or by a file of the model that it was made from and lies
  /// beside.
  package static func open(named name: String) throws -> Pack {
    let neighbour = GGUFModel.basePath(of: name) + ".pack"
    if let found = status(name) {
      if found.type == .regular, neighbour != name {
        if isFolder(neighbour) { return try open(neighbour, besideModel: name, byteCount: Int(found.size)) }
        if name.hasSuffix(".gguf") {
          throw Failure("\(name): this is a model, and packs are run; make one with: ggufpack convert \(name.shellWord)")
        }
      }
    } else if isFolder(name + ".pack") {
      return try open(name + ".pack")
    } else if name.hasSuffix(".gguf"), isFolder(neighbour) {
      // The model may be gone: the pack holds all of it.
      return try open(neighbour, besideModel: name, byteCount: nil)
    } else if status(name + ".gguf")?.type == .regular {
      throw Failure(
        "\(name): there is no such pack, but a model; make the pack with: ggufpack convert \((name + ".gguf").shellWord)")
    }
    return try open(name)
  }

  /// Opens a pack that was named by its model, if it was made from that.
  private static func open(_ path: String, besideModel model: String, byteCount: Int?) throws -> Pack {
    let pack = try open(path)
    let file = model.split(separator: "/").last.map(String.init)
    guard pack.manifest.source.contains(where: { $0.name == file && $0.byteCount == byteCount ?? $0.byteCount }) else {
      throw Failure("\(model): the pack beside it, \(path), was made from another file; name the pack, or make one of this model")
    }
    Terminal.note("\(model): using the pack that was made from it, \(path)")
    return pack
  }

  private static func isFolder(_ path: String) -> Bool {
    status(path)?.type == .directory
  }

  private static func status(_ path: String) -> Stat? { (try? Stat.find(path, failingAs: FileError.self)) ?? nil }
}
