// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// An operation on a file or a folder that the operating system refused.
public enum FileOperation: Hashable, Sendable {
  case open, look, list, followLink
  case read(at: Int)
  case create, createFolder, writeThere, nameResult, replace, remove, synchronize
  case write(at: Int)
  case resize(to: Int)
  case reserve(byteCount: Int)

  /// Whether the operation writes; otherwise it reads.
  public var isWriting: Bool {
    switch self {
    case .open, .look, .list, .followLink, .read: false
    case .create, .createFolder, .writeThere, .nameResult, .replace, .remove, .synchronize, .write, .resize, .reserve: true
    }
  }
}

extension FileOperation: CustomStringConvertible {
  /// The operation as text that completes "PATH: cannot …".
  public var description: String {
    switch self {
    case .open: "open it"
    case .look: "look at it"
    case .list: "list it"
    case .followLink: "follow this link"
    case .read(let offset): "read it at byte \(offset)"
    case .create: "create it"
    case .createFolder: "create this folder"
    case .writeThere: "write there"
    case .nameResult: "give the result this name"
    case .replace: "replace it"
    case .remove: "remove it"
    case .synchronize: "write it to the disk"
    case .write(let offset): "write it at byte \(offset)"
    case .resize(let byteCount): "make it \(byteCount) bytes long"
    case .reserve(let byteCount): "reserve \(byteCount) bytes for it"
    }
  }
}
