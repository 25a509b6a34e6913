// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// Whatever makes a blob's content, any range of it, on any thread.
protocol BlobContent: Sendable, ~Copyable {
  /// Fills `buffer` with the content in `range`.
  ///
  /// - Parameter scratch: The calling thread's own.
  /// - Precondition: `buffer` is as large as `range`, which lies within the content.
  func fill(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch) throws(PackError)
}

extension BlobFiller: BlobContent where Source: ~Copyable {}

/// The content of a blob that exists, as it is.
struct ExistingContent: BlobContent, ~Copyable {
  let reader: BlobReader

  func fill(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, _ scratch: inout Scratch) throws(PackError) {
    try unsafe reader.read(range.lowerBound, into: buffer, &scratch.codec)
  }
}

/// A blob that has been written.
struct WrittenBlob {
  /// The digests of the content's chunks.
  var chunks: [Digest]
  /// The digest of the file.
  var digest: Digest
  /// How the content lies in the file, if it is compressed.
  var storage: BlobStorage?
}

/// What a thread that writes a blob keeps.
struct BlobWorker: ~Copyable {
  var content = ByteBuffer(capacity: 0)
  var stored = ByteBuffer(capacity: 0)
  /// Bytes of `stored`.
  var storedByteCount = 0
  var digest: Digest?
  var scratch: Scratch

  init() throws(PackError) { scratch = try Scratch() }
}

/// Writes a blob as it is: the file is the content.
struct PlainBlobWriter {
  let path: String
  let byteCount: Int
  let chunkByteCount: Int
  let threads: Int
  /// Digests of chunks that an interrupted run has written; each is read again and made anew if it is not as it was.
  let written: [Int: Digest]
  /// Whether there is no such file yet.
  let isNew: Bool

  /// Writes the file, down to the disk.
  ///
  /// - Parameter finished: Called with each chunk's number, digest and size, in order.
  func write(
    _ content: borrowing some BlobContent & ~Copyable, finished: (Int, Digest, Int) throws(PackError) -> Void
  ) throws(PackError) -> WrittenBlob {
    let file = try OutputFile(path, byteCount: byteCount, isNew: isNew)
    guard var whole = DigestStream() else { throw .system(file: path, operation: "hash it", reason: "there is no memory") }
    var chunks: [Digest] = []
    let (byteCount, size, written) = (byteCount, chunkByteCount, written)
    @Sendable func range(_ chunk: Int) -> Range<Int> { chunk * size..<min(byteCount, (chunk + 1) * size) }

    try OrderedWork(count: (byteCount + size - 1) / size, threads: threads).run {
      () throws(PackError) in
      try BlobWorker()
    } work: { (index, worker) throws(PackError) in
      let range = range(index)
      let bytes = unsafe worker.content.bytes(range.count)
      if let digest = written[index] {
        try unsafe file.read(range.lowerBound, into: bytes)
        worker.digest = worker.content.withBytes(range.count) { Digest(of: $0) }
        if worker.digest == digest { return }
      }
      try unsafe content.fill(range, into: bytes, &worker.scratch)
      try unsafe file.write(UnsafeRawBufferPointer(bytes), at: range.lowerBound)
      worker.digest = worker.content.withBytes(range.count) { Digest(of: $0) }
    } finish: { (index, worker) throws(PackError) in
      let count = range(index).count
      worker.content.withBytes(count) { whole.update($0) }
      guard let digest = worker.digest else { return }
      chunks.append(digest)
      try finished(index, digest, count)
    }
    try file.synchronize()
    return WrittenBlob(chunks: chunks, digest: whole.digest, storage: nil)
  }
}
