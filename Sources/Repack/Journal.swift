// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import PackFormat
import SystemPackage

/// What a run has written so far, in a file beside it, so that an interrupted run can be gone on with.
///
/// The first line says what is being written, from what. Every other one names a blob, a chunk and its digest; or, of a compressed
/// blob, a section, the digest of what is stored of it, its encoding and the sizes of its frames (`-` where there are none).
final class Journal {
  /// What a run before has done, by blob.
  struct Progress {
    var chunks: [Int: [Int: Digest]] = [:]
    var sections: [Int: [Int: WrittenSection]] = [:]

    var isEmpty: Bool { chunks.isEmpty && sections.isEmpty }
  }

  /// A section of a compressed blob: how it was stored, and the digest of that.
  struct WrittenSection: Hashable {
    let encoding: BlobStorage.Encoding
    let frames: [Int]
    let digest: Digest
  }

  /// The file's name in the staging folder.
  static let fileName = "journal"

  let written: Progress
  private let descriptor: FileDescriptor
  private let path: String

  /// Opens the journal in `folder`, or begins one if there is none or it is of something else than `purpose`.
  init(in folder: String, purpose: Digest) throws(PackError) {
    path = folder + "/" + Self.fileName
    written = (try? PackFile.contents(path)).map { Self.parse($0, purpose) } ?? Progress()
    descriptor = try Self.open(path, purpose, isNew: written.isEmpty)
  }

  deinit { try? descriptor.close() }

  private static func open(_ path: String, _ purpose: Digest, isNew: Bool) throws(PackError) -> FileDescriptor {
    do {
      let options: FileDescriptor.OpenOptions = isNew ? [.create, .truncate, .closeOnExec] : [.append, .closeOnExec]
      let file = try FileDescriptor.open(FilePath(path), .writeOnly, options: options, permissions: [.ownerReadWrite])
      if isNew { try file.writeAll(Array("\(purpose.hex)\n".utf8)) }
      return file
    } catch {
      throw .system(file: path, operation: "write it", reason: OutputFile.reason(error))
    }
  }

  /// The last line may be cut short, by whatever ended the run; digests tell.
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

  /// Notes a section.
  func note(blob: Int, section: Int, _ written: WrittenSection) throws(PackError) {
    let frames = written.frames.isEmpty ? "-" : written.frames.map(String.init).joined(separator: ",")
    try append("\(blob) \(section) \(written.digest.hex) \(written.encoding.rawValue) \(frames)\n")
  }

  /// Notes a chunk.
  func note(blob: Int, chunk: Int, _ digest: Digest) throws(PackError) {
    try append("\(blob) \(chunk) \(digest.hex)\n")
  }

  private func append(_ line: String) throws(PackError) {
    do {
      try descriptor.writeAll(Array(line.utf8))
    } catch {
      throw .system(file: path, operation: "write it", reason: OutputFile.reason(error))
    }
  }
}
