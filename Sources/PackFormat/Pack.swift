// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF
import Glibc
import SystemPackage

/// An opened pack, in which everything except the digests of the weights has been validated.
///
/// For every value of this type: the manifest agrees with the source's headers, every blob has the size that the manifest states, every
/// slice lies within its blob and overlaps no other slice, and every row of every tensor is in exactly one slice.
public struct Pack: Sendable {
  /// The names of the files that a pack has beside its blobs.
  public enum FileName {
    /// The manifest.
    public static let manifest = "pack.json"
    /// The headers of the source's parts in order, each with the padding after it.
    public static let header = "header.gguf"
    /// The source's padding; present only if it is not all zero.
    public static let gaps = "gaps.bin"
  }

  /// The path of the folder.
  public let path: String
  /// What `pack.json` says.
  public let manifest: PackManifest
  /// The headers of the source's parts.
  public let headers: [GGUFHeader]
  /// The digests of all files.
  public let checksums: Checksums
  /// The identity and state of each file when it was opened, by name.
  let identities: [String: FileIdentity]

  /// The model's keys.
  public var metadata: GGUFMetadata { headers[0].metadata }

  /// The absolute path of the folder with links resolved; the path as given if the folder no longer exists.
  package var wholePath: String {
    let resolved: String? = unsafe path.withPath { path in
      guard let resolved = unsafe realpath(path, nil) else { return nil }
      defer { unsafe free(resolved) }
      return unsafe String(pathBytes: UnsafeRawBufferPointer(start: resolved, count: strlen(resolved)))
    }
    return resolved ?? path
  }

  /// Returns the path of blob `index`.
  public func blobPath(_ index: Int) -> String { path.entry(manifest.blobs[index].file) }

  /// Opens the pack in the folder at `path`.
  ///
  /// Reads the manifest, the source's headers and the list of digests, and checks the digests of the first two. `PackVerifier` checks the
  /// blobs.
  /// - Throws: `PackError`, which names the file and what is wrong with it.
  /// - Complexity: O(tensors), independent of the size of the weights.
  public static func open(_ path: String) throws(PackError) -> Pack {
    let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    try checkFolder(path)
    let checksumsPath = path.entry(Checksums.fileName)
    let text = try File<PackError>(checksumsPath, links: .followed).contents(limit: Checksums.byteCountLimit)
    let checksums = try Checksums(text: String(decoding: text, as: UTF8.self), file: checksumsPath)
    let manifest = try contents(FileName.manifest, of: path, checksums)
    let pack = try parse(path, manifest: manifest, checksums) { () throws(PackError) in
      try contents(FileName.header, of: path, checksums)
    }
    let identities = try PackValidator(path: path, manifest: pack.manifest, checksums: checksums).checkFiles()
    return Pack(path: path, manifest: pack.manifest, headers: pack.headers, checksums: checksums, identities: identities)
  }

  /// Throws if a file of the pack was changed or replaced since the pack was opened.
  package func checkUnchanged() throws(PackError) {
    for (name, identity) in identities.sorted(by: { $0.key < $1.key }) {
      try identity.check(path.entry(name))
    }
  }

  /// Returns the validated content of the files that describe a pack; does not look at whether the other files exist.
  ///
  /// - Parameter header: Returns the bytes of `header.gguf`; called once the manifest is known to have a supported version.
  static func parse(
    _ path: String, manifest bytes: [UInt8], _ checksums: Checksums, header: () throws(PackError) -> [UInt8]
  ) throws(PackError) -> Pack {
    let manifest = try PackManifest(json: bytes, file: path.entry(FileName.manifest))
    let headerBytes = try header()
    let validator = PackValidator(path: path, manifest: manifest, checksums: checksums)
    try validator.checkFields()
    let headers = try split(headerBytes, by: manifest, file: path.entry(FileName.header))
    try validator.check(headers)
    return Pack(path: path, manifest: manifest, headers: headers, checksums: checksums, identities: [:])
  }

  /// Throws if `path` is not a pack's folder, with an error about what is there instead of a missing file in it.
  private static func checkFolder(_ path: String) throws(PackError) {
    let status = try Stat.find(path, failingAs: PackError.self)
    if let status, status.type == .directory {
      for name in [FileName.manifest, FileName.header, Checksums.fileName] {
        if try Stat.find(path.entry(name), failingAs: PackError.self) != nil { return }
      }
      throw .invalid(file: path, problem: "this folder is not a pack: it has no \(FileName.manifest)")
    }
    // Users often type the model's name, or that of its GGUF, for the pack.
    let name = path.hasSuffix(".gguf") ? String(path.dropLast(5)) : path
    if try Stat.find(name + ".pack", failingAs: PackError.self)?.type == .directory {
      throw .invalid(file: path, problem: "this is not a pack; did you mean \(name).pack?")
    }
    guard status != nil else { throw .file(.system(path: path, operation: .open, .noSuchFileOrDirectory)) }
    throw .invalid(file: path, problem: "this is a file, and a pack is a folder; convert the model to make one")
  }

  /// The largest manifest or header that is read into memory, in bytes: enough for a hundred thousand tensors.
  private static let fileByteCountLimit = 1 << 28

  private static func contents(_ name: String, of path: String, _ checksums: Checksums) throws(PackError) -> [UInt8] {
    let bytes = try File<PackError>(path.entry(name), links: .followed).contents(limit: fileByteCountLimit)
    guard let digest = checksums.digests[name] else {
      throw .invalid(file: path.entry(Checksums.fileName), problem: "it does not list \(name)")
    }
    guard unsafe Digest(of: bytes.span.bytes) == digest else {
      throw .damaged(file: path.entry(name), chunk: nil, range: 0..<bytes.count)
    }
    return bytes
  }

  private static func split(_ bytes: [UInt8], by manifest: PackManifest, file: String) throws(PackError) -> [GGUFHeader] {
    var headers: [GGUFHeader] = []
    var start = 0
    for part in manifest.source {
      guard part.headerByteCount > 0, part.headerByteCount <= bytes.count - start else {
        throw .invalid(file: file, problem: "it has \(bytes.count) bytes, fewer than the headers that the manifest lists")
      }
      do {
        let span = unsafe bytes.span.bytes.extracting(start..<start + part.headerByteCount)
        headers.append(
          try GGUFHeader.parse(
            span, file: file, fileByteCount: part.byteCount, siblingAlignment: headers.first?.declaredAlignment))
      } catch {
        throw .header(error)
      }
      start += part.headerByteCount
    }
    guard start == bytes.count else {
      throw .invalid(file: file, problem: "it has \(bytes.count - start) bytes more than the headers that the manifest lists")
    }
    return headers
  }
}
