// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// A record of what a run has written so far, kept in a file beside the result, so that an interrupted run can be resumed.
///
/// The first line identifies what is being written, and from what. Every other line names a blob, a chunk and its digest; or, for a
/// compressed blob, a section, the digest of its stored bytes, its encoding and the sizes of its frames (`-` if there are none).
final class Journal {
  /// The work of an earlier run, by blob.
  struct Progress {
    var chunks: [Int: [Int: Digest]] = [:]
    var sections: [Int: [Int: WrittenSection]] = [:]

    var isEmpty: Bool { chunks.isEmpty && sections.isEmpty }
  }

  /// A section of a compressed blob: how it was stored, and the digest of the stored bytes.
  struct WrittenSection: Hashable {
    let encoding: BlobStorage.Encoding
    let frames: [Int]
    let digest: Digest
  }

  /// The file's name in the staging folder.
  static let fileName = "journal"

  let written: Progress
  private let file: File<PackError>
  /// Bytes written so far.
  private var end: Int

  /// The largest journal that is read, in bytes; it suffices for a pack of several terabytes.
  private static let byteCountLimit = 1 << 28

  /// Opens the journal in `folder`. Begins a new one if there is none, or if it belongs to something other than `purpose`.
  init(in folder: borrowing Folder<PackError>, purpose: Digest) throws(PackError) {
    // An entry with this name that is not a regular file does not come from an earlier run.
    if let found = try folder.status(Self.fileName), found.type != .regular { try folder.remove(Self.fileName) }
    file = try folder.file(Self.fileName, for: .updating, permissions: .ownerReadWrite)
    let bytes = try file.contents(limit: Self.byteCountLimit)
    written = Self.parse(bytes, purpose)
    end = bytes.count
    if written.isEmpty {
      try file.resize(to: 0)
      end = 0
      try append("\(purpose.hex)\n")
    }
  }

  /// Parses a journal. Its last line may be cut short where the run ended; the digests reveal that.
  private static func parse(_ bytes: [UInt8], _ purpose: Digest) -> Progress {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    var written = Progress()
    guard lines.first.map(String.init) == purpose.hex else { return written }
    for line in lines.dropFirst() {
      let fields = line.split(separator: " ").map(String.init)
      guard fields.count >= 3, let blob = Int(fields[0]), let index = Int(fields[1]), let digest = Digest(hex: fields[2])
      else { continue }
      if fields.count == 3 {
        written.chunks[blob, default: [:]][index] = digest
      } else if fields.count == 5, let encoding = BlobStorage.Encoding(rawValue: fields[3]) {
        let frames = fields[4].split(separator: ",").compactMap { Int($0) }
        written.sections[blob, default: [:]][index] = WrittenSection(encoding: encoding, frames: frames, digest: digest)
      }
    }
    return written
  }

  /// Records a section.
  func note(blob: Int, section: Int, _ written: WrittenSection) throws(PackError) {
    let frames = written.frames.isEmpty ? "-" : written.frames.map(String.init).joined(separator: ",")
    try append("\(blob) \(section) \(written.digest.hex) \(written.encoding.rawValue) \(frames)\n")
  }

  /// Records a chunk.
  func note(blob: Int, chunk: Int, _ digest: Digest) throws(PackError) {
    try append("\(blob) \(chunk) \(digest.hex)\n")
  }

  private func append(_ line: String) throws(PackError) {
    let bytes = Array(line.utf8)
    try file.write(bytes, at: end)
    end += bytes.count
  }
}
