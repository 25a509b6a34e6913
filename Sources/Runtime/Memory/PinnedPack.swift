// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// A pack whose replicas this user has left in memory, completely or partly.
public struct PinnedPack: Hashable, Sendable {
  /// The state of the replicas.
  public enum State: String, Sendable {
    /// The pack at `path` can start from the replicas.
    case ready
    /// The replicas belong to an earlier conversion of the pack, or the pack is no longer at `path`.
    case stale
    /// A process is filling them, or ended while it did.
    case partial
  }

  /// The path of the pack; nil if it is unknown.
  public var path: String?
  /// The folder that holds the replicas.
  public var folder: String
  /// The size of all replicas in bytes.
  public var byteCount: Int
  /// The number of replicas.
  public var replicaCount: Int
  /// The state of the replicas.
  public var state: State
}

extension PinnedReplicas {
  /// Returns everything that this user has pinned.
  ///
  /// - Throws: `RuntimeError.file` if a folder is not controlled by this user alone.
  public static func list(places: [Place]? = nil) throws(RuntimeError) -> [PinnedPack] {
    var found: [PinnedPack] = []
    for place in places ?? Self.places() {
      guard let user = try PinnedFolder.ofUser(in: place) else { continue }
      for name in try user.folder.names() where try user.folder.status(name)?.type == .directory {
        found.append(try describe(name, in: user))
      }
    }
    return found
  }

  private static func describe(_ name: String, in user: borrowing PinnedFolder) throws(RuntimeError) -> PinnedPack {
    let folder = try user.folder(name)
    let names = try folder.folder.names()
    var pinned = PinnedPack(
      path: PinnedPath.path(names), folder: user.folder.path(name), byteCount: 0, replicaCount: 0, state: .stale)
    for file in names where !PinnedPath.isPart(file) {
      guard let status = try folder.folder.status(file), status.type == .regular else { continue }
      pinned.byteCount += Int(status.size)
      pinned.replicaCount += 1
    }
    if name.hasSuffix(PartialFolder.suffix) {
      pinned.state = .partial
    } else if let path = pinned.path, let pack = try? Pack.open(path), PinnedReplicas(pack).name == name {
      pinned.state = .ready
    }
    return pinned
  }
}
