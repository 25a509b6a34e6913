// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

/// The buffers and results of a thread that writes a blob.
struct BlobWorker: ~Copyable {
  var content = ByteBuffer(capacity: 0)
  var stored = ByteBuffer(capacity: 0)
  /// The bytes of `stored` that are in use.
  var storedByteCount = 0
  var digest: Digest?
  var scratch: Scratch

  init() throws(PackError) { scratch = try Scratch() }
}

/// The digests and storage of a blob that has been written.
struct WrittenBlob {
  /// The digests of the content's chunks.
  var chunks: [Digest]
  /// The digest of the file.
  var digest: Digest
  /// How the content lies in the file, if it is compressed.
  var storage: BlobStorage?
}
