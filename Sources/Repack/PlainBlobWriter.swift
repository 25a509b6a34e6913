// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// Writes a blob uncompressed: the file is the content.
struct PlainBlobWriter {
  let byteCount: Int
  let chunkByteCount: Int
  let threads: Int
  /// The digests of chunks that an interrupted run has written. Each chunk is read again, and made again if its digest differs.
  let written: [Int: Digest]

  /// Writes `file` and waits until it is on the disk.
  ///
  /// - Parameter finished: Called with each chunk's number, digest and size in bytes, in order.
  func write(
    _ content: some BlobContent, to file: borrowing File<PackError>, finished: (Int, Digest, Int) throws(PackError) -> Void
  ) throws(PackError) -> WrittenBlob {
    try file.reserve(byteCount)
    var whole = try DigestStream()
    var chunks: [Digest] = []
    let (byteCount, size, written) = (byteCount, chunkByteCount, written)
    @Sendable func range(_ chunk: Int) -> Range<Int> { chunk * size..<min(byteCount, (chunk + 1) * size) }

    try OrderedWork(count: byteCount.pieceCount(of: size), threads: threads).run {
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
    // Cached pages are small; without them, the next start can map the file in huge pages.
    file.forgetCached()
    return WrittenBlob(chunks: chunks, digest: whole.digest, storage: nil)
  }
}
