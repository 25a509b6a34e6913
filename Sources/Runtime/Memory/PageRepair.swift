// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Files
import Glibc

/// Moves cached pages of mapped files to the right nodes if something read them from other nodes before.
struct PageRepair {
  private let filler: ReplicaFiller

  init(_ filler: ReplicaFiller) { self.filler = filler }

  /// Repairs what it can, and returns a line for each file with pages that stay on other nodes.
  ///
  /// It first moves the pages, which keeps huge pages huge; the kernel moves only pages that no other process maps. It then drops what is
  /// left from the cache and reads it again, which works for pages that no other process maps and that do not wait to be written.
  func run() throws(RuntimeError) -> [String] {
    let kernel = filler.options.kernel
    var wrong = filler.blobs.filter { census($0).pages(notOn: $0.replica.node) > 0 }
    for blob in wrong { _ = kernel.bind(blob.mappedRange(filler.kind), .bind(blob.replica.node), moving: true) }
    wrong = wrong.filter { census($0).pages(notOn: $0.replica.node) > 0 }
    if filler.kind == .file, !wrong.isEmpty {
      for blob in wrong {
        blob.clear()
        if let file = try? File<RuntimeError>(blob.path, links: .followed) { file.forgetCached() }
      }
      try ReplicaFiller(blobs: wrong, kind: .file, crew: filler.crew, options: quiet, mode: filler.mode).fill()
    }
    return wrong.compactMap { blob in
      let left = census(blob).pages(notOn: blob.replica.node)
      guard left > 0 else { return nil }
      return
        "\(blob.path): \(ByteCount(left * 4096)) stay cached on other nodes than \(blob.replica.node): another process maps them"
    }
  }

  private var quiet: MemoryOptions {
    var options = filler.options
    options.progress = nil
    return options
  }

  private func census(_ blob: MappedBlob) -> PageCensus {
    PageCensus.take(blob.mappedRange(filler.kind), kernel: filler.options.kernel)
  }
}
