// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Foundation
import GGUF
import PackFormat
import Synchronization
import TestSupport
import Testing

@testable import Repack

@Suite("Writing safely")
struct WritingTests {
  /// A model whose blobs have several chunks.
  private func write(to path: String, rows: Int = 12_000) throws -> GGUFModel {
    var writer = GGUFWriter()
    writer.tensors = [
      .init(name: "a", type: .q8_0, dimensions: [1024, rows]), .init(name: "b", type: .q6_K, dimensions: [2048, 4000]),
    ]
    var random = SplitMix64(seed: 11)
    try writer.write(to: path) { random.bytes([34 * 32 * rows, 210 * 8 * 4000][$0]) }
    return try GGUFModel.open(path)
  }

  private func names(in folder: String) throws -> Set<String> {
    Set(try FileManager.default.contentsOfDirectory(atPath: folder))
  }

  @Test("An interrupted run leaves nothing; one that is to be resumed leaves what the next one continues")
  func interruption() throws {
    try withTemporaryFolder { folder in
      let model = try write(to: folder + "/model.gguf")
      let plan = try PackPlan(model, options: PackOptions())
      let target = folder + "/model.pack"
      func run(resumes: Bool, until limit: Int) throws {
        var converter = PackConverter(model, plan: plan)
        converter.resumes = resumes
        converter.threads = 1
        var done = 0
        try converter.run(to: target) { (bytes) throws(PackError) in
          done += bytes
          if done >= limit { throw .interrupted }
        }
      }
      #expect(throws: PackError.interrupted) { try run(resumes: false, until: 1) }
      #expect(try names(in: folder) == ["model.gguf"])

      #expect(throws: PackError.interrupted) { try run(resumes: true, until: 10 << 20) }
      let partial = folder + "/.model.pack.partial"
      let journal = try String(contentsOfFile: partial + "/journal", encoding: .utf8).split(separator: "\n")
      #expect(journal.count == 3)
      // One of the two chunks is damaged meanwhile: it must be made again.
      let blob = try #require(FileHandle(forWritingAtPath: partial + "/node0.blob"))
      try blob.seek(toOffset: 12345)
      try blob.write(contentsOf: Data([1, 2, 3]))
      try blob.close()
      try run(resumes: true, until: .max)
      #expect(try names(in: folder) == ["model.gguf", "model.pack"])
      #expect(try names(in: target) == ["checksums.xxh3", "header.gguf", "node0.blob", "pack.json"])
      #expect(try PackVerifier(Pack.open(target)).run().isEmpty)
      try PackRestorer(Pack.open(target)).compare(with: model)
    }
  }

  @Test("An interrupted compression goes on behind the last tensor that is complete", arguments: [false, true])
  func compressed(isDamaged: Bool) throws {
    try withTemporaryFolder { folder in
      var writer = GGUFWriter()
      writer.tensors = ["a", "b", "c"].map { .init(name: $0, type: .q8_0, dimensions: [1024, 3000]) }
      var random = SplitMix64(seed: 12)
      // The first compresses, the others do not.
      try writer.write(to: folder + "/model.gguf") { index in
        random.bytes(34 * 32 * 3000).map { index == 0 ? $0 & 15 : $0 }
      }
      let model = try GGUFModel.open(folder + "/model.gguf")
      let plan = try PackPlan(model, options: PackOptions())
      let (target, blob) = (folder + "/model.pack", folder + "/.model.pack.partial/node0.blob")
      func run(until limit: Int, _ look: (Int) -> Void = { _ in }) throws {
        var converter = PackConverter(model, plan: plan)
        converter.resumes = true
        converter.compressionLevel = 3
        var done = 0
        try converter.run(to: target) { (bytes) throws(PackError) in
          if bytes > 0, done == 0 { look((try? FileManager.default.attributesOfItem(atPath: blob)[.size] as? Int) ?? 0) }
          done += bytes
          if done >= limit { throw .interrupted }
        }
      }
      #expect(throws: PackError.interrupted) { try run(until: 8 << 20) }
      let journal = try String(contentsOfFile: folder + "/.model.pack.partial/journal", encoding: .utf8).split(separator: "\n")
      let fields = journal.dropFirst().map { $0.split(separator: " ") }
      #expect(journal.count >= 2 && fields[0][3] == "zstd")
      let stored = fields[0][4].split(separator: ",").compactMap { Int($0) }.reduce(0, +)
      if isDamaged {
        let file = try #require(FileHandle(forWritingAtPath: blob))
        try file.seek(toOffset: 1000)
        try file.write(contentsOf: Data([1, 2, 3]))
        try file.close()
      }
      var sizeAtStart = 0
      try run(until: .max) { sizeAtStart = $0 }
      #expect(sizeAtStart >= stored)
      #expect(try PackVerifier(Pack.open(target)).run().isEmpty)
      try PackRestorer(Pack.open(target)).compare(with: model)
      #expect(try names(in: folder) == ["model.gguf", "model.pack"])
    }
  }

  @Test("A resumed run does not use what was written for another arrangement")
  func otherArrangement() throws {
    try withTemporaryFolder { folder in
      let model = try write(to: folder + "/model.gguf")
      let target = folder + "/model.pack"
      for nodes in [2, 1] {
        var options = PackOptions()
        options.nodeCount = nodes
        var converter = PackConverter(model, plan: try PackPlan(model, options: options))
        converter.resumes = true
        if nodes == 2 {
          #expect(throws: PackError.interrupted) { try converter.run(to: target) { _ throws(PackError) in throw .interrupted } }
        } else {
          try converter.run(to: target)
        }
      }
      #expect(try names(in: target) == ["checksums.xxh3", "header.gguf", "node0.blob", "pack.json"])
      try PackRestorer(Pack.open(target)).compare(with: model)
    }
  }

  @Test("The next run removes what a killed one has left, and does not touch what a running one writes")
  func leftovers() throws {
    try withTemporaryFolder { folder in
      let model = try write(to: folder + "/model.gguf", rows: 64)
      let plan = try PackPlan(model, options: PackOptions())
      let partial = folder + "/.model.pack.partial"
      try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
      try Data("trash".utf8).write(to: URL(filePath: partial + "/node7.blob"))
      try Data().write(to: URL(filePath: partial + ".lock"))
      do {
        let living = try Staging(for: folder + "/other.pack", .pack, replacing: false)
        #expect(throws: PackError.self) { try PackConverter(model, plan: plan).run(to: folder + "/other.pack") }
        #expect(FileManager.default.fileExists(atPath: living.folder.path))
      }
      try PackConverter(model, plan: plan).run(to: folder + "/model.pack")
      #expect(try names(in: folder) == ["model.gguf", "model.pack"])
      #expect(try !names(in: folder + "/model.pack").contains("node7.blob"))
    }
  }

  @Test("Space that an interrupted run has reserved counts as room for the run that continues it")
  func room() throws {
    try withTemporaryFolder { folder in
      let staging = try Staging(for: folder + "/model.pack", .pack, replacing: false)
      let free = try #require(try FileManager.default.attributesOfFileSystem(forPath: folder)[.systemFreeSize] as? Int)
      // Others write to this filesystem meanwhile: the numbers are far enough from each other.
      let size = min(free / 2, 1 << 30)
      try staging.folder.file("node0.blob", for: .creating).reserve(size)
      try staging.requireSpace(free - size / 2)
      #expect(throws: PackError.self) { try staging.requireSpace(free + size / 2) }
    }
  }

  @Test("A missing folder is named")
  func noFolder() throws {
    try withTemporaryFolder { folder in
      let model = try write(to: folder + "/model.gguf", rows: 64)
      let converter = PackConverter(model, plan: try PackPlan(model, options: PackOptions()))
      let error = #expect(throws: PackError.self) { try converter.run(to: folder + "/none/model.pack") }
      #expect(error?.description == "\(folder)/none: there is no such folder; create it, or write to another place")
    }
  }

  @Test("A pack is replaced only when asked, and nothing else is replaced at all")
  func replacing() throws {
    try withTemporaryFolder { folder in
      let model = try write(to: folder + "/model.gguf", rows: 64)
      let converter = PackConverter(model, plan: try PackPlan(model, options: PackOptions()))
      try converter.run(to: folder + "/model.pack")
      #expect(throws: PackError.self) { try converter.run(to: folder + "/model.pack") }
      try converter.run(to: folder + "/model.pack/", replacing: true)
      #expect(try PackVerifier(Pack.open(folder + "/model.pack")).run().isEmpty)

      let photos = folder + "/photos"
      try FileManager.default.createDirectory(atPath: photos, withIntermediateDirectories: true)
      try Data([1]).write(to: URL(filePath: photos + "/dog.jpeg"))
      #expect(throws: PackError.self) { try converter.run(to: photos, replacing: true) }
      #expect(throws: PackError.self) { try converter.run(to: folder + "/model.gguf", replacing: true) }
      #expect(try names(in: photos) == ["dog.jpeg"])
      #expect(try names(in: folder) == ["model.gguf", "model.pack", "photos"])
    }
  }
}
