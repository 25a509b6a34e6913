// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat

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

/// A blob that has been written.
struct WrittenBlob {
  /// The digests of the content's chunks.
  var chunks: [Digest]
  /// The digest of the file.
  var digest: Digest
  /// How the content lies in the file, if it is compressed.
  var storage: BlobStorage?
}
