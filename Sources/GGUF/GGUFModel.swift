// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import SystemPackage

/// A model in one GGUF file or in several (`NAME-00001-of-00003.gguf`, as gguf-split writes them).
public struct GGUFModel: Sendable, Hashable {
  /// A tensor and the part that holds its data.
  public struct Tensor: Sendable, Hashable {
    /// The tensor as its part's header describes it.
    public let info: GGUFTensor
    /// Index into `parts`.
    public let part: Int
  }

  /// The files, in order; one if the model is not split.
  public let parts: [GGUFPart]
  /// All tensors: those of the first part, then those of the second, and so on.
  public let tensors: [Tensor]

  /// The model's keys, which are those of the first part.
  public var metadata: GGUFMetadata { parts[0].header.metadata }

  /// The path of the model without the ending of its file: what other files of the same model are named after.
  public var basePath: String {
    let path = parts[0].path
    return SplitName(path: path)?.prefix ?? (path.hasSuffix(".gguf") ? String(path.dropLast(5)) : path)
  }

  /// Opens the model to which the file at `path` belongs; any part of a split model will do, and so will a folder with one model.
  ///
  /// Only headers are read. The sizes they promise are checked against the files' sizes.
  /// - Throws: `GGUFError`: the file cannot be read, is not a GGUF, is cut short, or its other parts are missing or foreign.
  public static func open(_ path: String) throws(GGUFError) -> GGUFModel {
    let path = try file(path)
    let given = try GGUFPart.open(path, siblingAlignment: firstPartAlignment(for: path))
    guard let model = try SplitModel(of: given) else { return GGUFModel(parts: [given]) }
    return GGUFModel(parts: try model.parts(given: given))
  }

  /// The file to begin with: `path`, or if that is a folder, the model in it.
  private static func file(_ path: String) throws(GGUFError) -> String {
    guard try Stat.find(path, failingAs: GGUFError.self)?.type == .directory else { return path }
    let folder = try Folder<GGUFError>(path)
    let models = try folder.names().filter { $0.hasSuffix(".gguf") && SplitName(path: $0)?.number ?? 0 == 0 }
    guard models.count == 1 else { throw .folder(path: path, modelCount: models.count) }
    return folder.path(models[0])
  }

  /// `general.alignment` of the first part, if by its name the file at `path` is a later one.
  private static func firstPartAlignment(for path: String) -> Int? {
    guard let name = SplitName(path: path), name.number > 0 else { return nil }
    // A first part that cannot be opened is refused when its turn comes.
    return (try? GGUFPart.open(name.path(0)))?.header.declaredAlignment
  }

  private init(parts: [GGUFPart]) {
    self.parts = parts
    tensors = parts.indices.flatMap { part in parts[part].header.tensors.map { Tensor(info: $0, part: part) } }
  }
}
