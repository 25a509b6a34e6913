// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// One file of a model.
public struct GGUFPart: Sendable, Hashable {
  /// The path of the file.
  public let path: String
  /// The size of the file in bytes.
  public let byteCount: Int
  /// Its header.
  public let header: GGUFHeader
  /// The file's identity and state when it was opened; a difference later means that it was changed.
  public let identity: FileIdentity
}

extension GGUFPart {
  /// The number of bytes read first. Most headers fit; for a longer one, more is read.
  private static let firstRead = 1 << 20

  /// Reads the header of the file at `path`, and checks that the file holds all of its data.
  ///
  /// - Parameter siblingAlignment: `general.alignment` of the first part, for the later parts of a split model.
  static func open(_ path: String, siblingAlignment: Int? = nil) throws(GGUFError) -> GGUFPart {
    let file = try File<GGUFError>(path, links: .followed)
    let identity = try file.status().identity
    let header = try header(of: file, identity.byteCount, siblingAlignment: siblingAlignment)
    try check(header, path, identity.byteCount)
    return GGUFPart(path: path, byteCount: identity.byteCount, header: header, identity: identity)
  }

  private static func header(
    of file: borrowing File<GGUFError>, _ byteCount: Int, siblingAlignment: Int?
  ) throws(GGUFError) -> GGUFHeader {
    var bytes: [UInt8] = []
    var wanted = firstRead
    while true {
      try file.extend(&bytes, to: min(wanted, byteCount))
      do throws(HeaderStop) {
        var reader = HeaderReader(
          unsafe bytes.span.bytes, file: file.path, fileByteCount: byteCount, siblingAlignment: siblingAlignment)
        let header = try reader.header()
        try checkPadding(of: header, file.path, byteCount)
        return header
      } catch {
        switch error {
        case .refused(let error): throw error
        case .needsBytes(let count, let what, let offset):
          guard count <= GGUFLimits.headerByteCount else {
            throw .malformed(file: file.path, offset: offset, defect: .longHeader(what: what, limit: GGUFLimits.headerByteCount))
          }
          // Without this check, a file that shrinks while it is read would keep this loop running.
          guard bytes.count >= min(wanted, byteCount) else {
            throw .truncated(file: file.path, offset: offset, what: what, needed: count - offset, left: bytes.count - offset)
          }
          wanted = max(count, min(bytes.count * 4, GGUFLimits.headerByteCount))
        }
      }
    }
  }

  /// Refuses an alignment that needs more padding before the data than a pack can keep.
  private static func checkPadding(of header: GGUFHeader, _ path: String, _ byteCount: Int) throws(HeaderStop) {
    let limit = GGUFLimits.paddedHeaderByteCount
    guard min(header.dataOffset, byteCount) > limit else { return }
    let what = "the padding to the alignment of \(header.alignment)"
    throw .refused(.malformed(file: path, offset: header.byteCount, defect: .longHeader(what: what, limit: limit)))
  }

  /// Refuses a file that ends before its last tensor does.
  private static func check(_ header: GGUFHeader, _ path: String, _ byteCount: Int) throws(GGUFError) {
    for tensor in header.tensors where tensor.byteCount > 0 {
      let start = header.dataOffset + tensor.offset
      guard tensor.byteCount <= byteCount - start else {
        throw .truncated(
          file: path, offset: start, what: "the data of \(tensor.name.quoted)", needed: tensor.byteCount,
          left: max(0, byteCount - start))
      }
    }
  }
}
