import GGUF
import PackFormat
import SystemPackage

/// The chunks that a run has written so far, in a file beside them, so that an interrupted run can be gone on with.
///
/// The first line says what is being written, from what; every other one names a blob, a chunk and its digest.
final class Journal {
  /// The file's name in the staging folder.
  static let fileName = "journal"

  /// Chunks of the run before, by blob.
  let written: [Int: [Int: Digest]]
  private let descriptor: FileDescriptor
  private let path: String

  /// Opens the journal in `folder`, or begins one if there is none or it is of something else than `purpose`.
  init(in folder: String, purpose: Digest) throws(PackError) {
    path = folder + "/" + Self.fileName
    written = (try? PackFile.contents(path)).map { Self.parse($0, purpose) } ?? [:]
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

  /// The last line may be cut short, by whatever ended the run.
  private static func parse(_ bytes: [UInt8], _ purpose: Digest) -> [Int: [Int: Digest]] {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    guard lines.first.map(String.init) == purpose.hex else { return [:] }
    var written: [Int: [Int: Digest]] = [:]
    for line in lines.dropFirst() {
      let fields = line.split(separator: " ")
      guard fields.count == 3, let blob = Int(fields[0]), let chunk = Int(fields[1]), let digest = Digest(hex: String(fields[2]))
      else { continue }
      written[blob, default: [:]][chunk] = digest
    }
    return written
  }

  /// Notes a chunk.
  func note(blob: Int, chunk: Int, _ digest: Digest) throws(PackError) {
    do {
      try descriptor.writeAll(Array("\(blob) \(chunk) \(digest.hex)\n".utf8))
    } catch {
      throw .system(file: path, operation: "write it", reason: OutputFile.reason(error))
    }
  }
}
