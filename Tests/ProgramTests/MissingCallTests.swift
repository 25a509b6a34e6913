// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import TestSupport
import Testing

@Suite("Results are written and replaced where a filesystem or a container has no call for it")
struct MissingCallTests {
  /// The refusals of NFS, 9p, FUSE and old kernels.
  static let refused = [
    RefusedCalls(.renameat2, error: EINVAL), RefusedCalls(.renameat2, error: ENOSYS), RefusedCalls(.renameat2, error: EPERM),
    RefusedCalls(.fallocate, error: EOPNOTSUPP), RefusedCalls(.flock, error: ENOLCK), RefusedCalls(.flock, error: ENOSYS),
  ]

  @Test(
    "--force replaces packs and restored models, also where two folders cannot be swapped in one step",
    .enabled(if: RefusedCalls.areAvailable), arguments: refused)
  func replacing(refused: RefusedCalls) throws {
    let folder = try TemporaryFolder()
    for number in [1, 2] {
      let name = "llama-split-0000\(number)-of-00002.gguf"
      try FileManager.default.copyItem(atPath: Fixture.path(name), toPath: folder.file(name))
    }
    let (split, pack) = (folder.file("llama-split-00001-of-00002.gguf"), folder.file("m.pack"))
    let before = try folder.names
    func run(_ arguments: String...) throws {
      let result = try refused.run { try Program.ggufpack.run(arguments + ["-q"]) }
      #expect(result.exitCode == 0 && !result.wasKilled, "\(arguments[0]): \(result.errors)")
    }
    // First to a new path, then over the existing result.
    for _ in 0..<2 { try run("convert", split, "-o", pack, "--force") }
    for _ in 0..<2 { try run("repack", pack, "-o", folder.file("two.pack"), "--nodes", "2", "--force") }
    for _ in 0..<2 { try run("restore", pack, "-o", folder.file("parts"), "--force") }
    try run("compress", pack)
    try run("decompress", pack)
    #expect(try folder.names == (before + ["m.pack", "parts", "two.pack"]).sorted())
    for pack in ["m.pack", "two.pack"] {
      let verified = try Program.ggufpack.run("verify", folder.file(pack), "--source", split, "-q")
      #expect(verified.exitCode == 0, "\(verified.errors)")
    }
    for name in before {
      #expect(FileManager.default.contentsEqual(atPath: folder.file(name), andPath: folder.file("parts/" + name)))
    }
  }

  /// The refusals of container profiles and of kernels before 5.14.
  static let refusedInMemory = [
    RefusedCalls(.bindMemory, .setPolicy, .getPolicy, .movePages, error: EPERM),
    RefusedCalls(.bindMemory, .setPolicy, .getPolicy, .movePages, error: ENOSYS), RefusedCalls(.setAffinity, error: EPERM),
    RefusedCalls(.madvise, error: EINVAL), RefusedCalls(.madvise, .memfdCreate, error: ENOSYS),
  ]

  @Test(
    "A pack runs where memory can be neither bound nor advised, and gives the same text", .enabled(if: RefusedCalls.areAvailable),
    arguments: refusedInMemory)
  func running(refused: RefusedCalls) throws {
    let (folder, pack) = try Fixture.pack("m.pack", "--align", "64K", "--nodes", "2")
    try withExtendedLifetime(folder) {
      let arguments = [pack, "-p", "Once", "-n", "4", "--temp", "0", "--quiet", "--ctx", "32"]
      let expected = try Program.packrun.run(arguments)
      for memory in ["auto", "file", "anon"] {
        let result = try refused.run { try Program.packrun.run(arguments + ["--memory", memory]) }
        #expect(result.exitCode == 0 && result.output == expected.output, "\(memory): \(result.errors)")
      }
    }
  }
}
