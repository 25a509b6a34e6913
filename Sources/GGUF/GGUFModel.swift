// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import SystemPackage

/// A model in one GGUF file or in several (`NAME-00001-of-00003.gguf`, as gguf-split writes them).
public struct GGUFModel: Sendable, Hashable {
  /// A tensor and the part that holds its data.
  public struct Tensor: Sendable, Hashable {
    /// The tensor as its part's header describes it.
    public let info: GGUFTensor
    /// The index of its part in `parts`.
    public let part: Int
  }

  /// The files, in order; one if the model is not split.
  public let parts: [GGUFPart]
  /// All tensors, part by part in order.
  public let tensors: [Tensor]

  /// The model's keys: those of the first part.
  public var metadata: GGUFMetadata { parts[0].header.metadata }

  /// The path of the model without its file ending or split suffix; the names of other files of the model are derived from it.
  public var basePath: String {
    let path = parts[0].path
    return SplitName(path: path)?.prefix ?? (path.hasSuffix(".gguf") ? String(path.dropLast(5)) : path)
  }

  /// Opens the model that the file at `path` belongs to. `path` may be any part of a split model, or a folder that holds one model.
  ///
  /// Only headers are read. The sizes they state are checked against the sizes of the files.
  /// - Throws: `GGUFError` if a file cannot be read, is not a GGUF, is cut short, or if other parts are missing or belong to another model.
  public static func open(_ path: String) throws(GGUFError) -> GGUFModel {
    let path = try file(path)
    let given = try GGUFPart.open(path, siblingAlignment: firstPartAlignment(for: path))
    guard let model = try SplitModel(of: given) else { return GGUFModel(parts: [given]) }
    return GGUFModel(parts: try model.parts(given: given))
  }

  /// Returns the file to begin with: `path`, or if that is a folder, the model in it.
  private static func file(_ path: String) throws(GGUFError) -> String {
    guard try Stat.find(path, failingAs: GGUFError.self)?.type == .directory else { return path }
    let folder = try Folder<GGUFError>(path)
    let models = try folder.names().filter { $0.hasSuffix(".gguf") && SplitName(path: $0)?.number ?? 0 == 0 }
    guard models.count == 1 else { throw .folder(path: path, modelCount: models.count) }
    return folder.path(models[0])
  }

  /// Returns `general.alignment` of the first part if, by its name, the file at `path` is a later part.
  private static func firstPartAlignment(for path: String) -> Int? {
    guard let name = SplitName(path: path), name.number > 0 else { return nil }
    // If the first part cannot be opened, that is reported when its turn comes.
    return (try? GGUFPart.open(name.path(0)))?.header.declaredAlignment
  }

  private init(parts: [GGUFPart]) {
    self.parts = parts
    tensors = parts.indices.flatMap { part in parts[part].header.tensors.map { Tensor(info: $0, part: part) } }
  }
}
