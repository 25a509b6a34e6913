// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Files
import Glibc
import PackFormat
import Repack
import Testing

@testable import PackRuntime

@Suite("The first start after a pack was written or read", .timeLimit(.minutes(5)))
struct FirstStartTests {
  private static func isCached(_ path: String) throws -> Bool {
    let file = try File<RuntimeError>(path)
    return file.isCached(try file.byteCount())
  }

  /// Whether the page cache can drop files on the filesystem of temporary files; on a tmpfs it cannot.
  static let cacheForgets: Bool = {
    guard let small = try? RandomPack(), let file = try? File<RuntimeError>(small.folder + "/model.gguf") else { return false }
    fsync(file.descriptor.rawValue)
    file.forgetCached()
    return (try? isCached(small.folder + "/model.gguf")) == false
  }()

  @Test("Files that convert writes, and that verify and restore read, do not stay in the page cache", .enabled(if: cacheForgets))
  func notLeft() throws {
    let small = try RandomPack(rows: 60000)
    let pack = try small.pack(nodes: 2, .shard)
    let blobs = [pack.blobPath(0), pack.blobPath(1)]
    #expect(try blobs.allSatisfy { try !Self.isCached($0) })
    #expect(try PackVerifier(pack).run().isEmpty)
    #expect(try blobs.allSatisfy { try !Self.isCached($0) })
    try PackRestorer(pack).run(to: small.folder + "/restored.gguf")
    #expect(try blobs.allSatisfy { try !Self.isCached($0) })
  }

  @Test("Files that were cached before stay cached", .enabled(if: cacheForgets))
  func stays() throws {
    let small = try RandomPack(rows: 60000)
    let pack = try small.pack(nodes: 1, .shard)
    let file = try File<RuntimeError>(pack.blobPath(0))
    _ = try file.contents(limit: 1 << 30)
    try #require(try Self.isCached(pack.blobPath(0)))
    #expect(try PackVerifier(pack).run().isEmpty)
    #expect(try Self.isCached(pack.blobPath(0)))
  }

  @Test("Probing a file leaves nothing of it in the page cache either", .enabled(if: cacheForgets))
  func probed() throws {
    let small = try RandomPack(rows: 200_000)
    let pack = try small.pack(nodes: 1, .shard)
    let size = pack.manifest.blobs[0].byteCount
    let node = Topology.read().usableNodes[0].id
    #expect(try FileProbe(Kernel()).mapping(of: pack.blobPath(0), byteCount: size, node: node) != nil)
    let file = try File<RuntimeError>(pack.blobPath(0))
    #expect(cl_cached_bytes(file.descriptor.rawValue, Int64(size)) == 0)
  }
}
