// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Foundation
import GGUF
import GGUFWriting
import PackFormat
import Synchronization
import TestSupport
import Testing

@testable import Repack

@Suite("Writing safely")
struct WritingTests {
  /// Writes a model whose blobs have several chunks.
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

  @Test("An interrupted run leaves nothing, or with resume, what the next run continues")
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
      // One of the two chunks is damaged in the meantime, and must be made again.
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

  @Test("An interrupted compression resumes after the last complete tensor", arguments: [false, true])
  func compressed(isDamaged: Bool) throws {
    try withTemporaryFolder { folder in
      var writer = GGUFWriter()
      writer.tensors = ["a", "b", "c"].map { .init(name: $0, type: .q8_0, dimensions: [1024, 3000]) }
      var random = SplitMix64(seed: 12)
      // The first tensor compresses, the others do not.
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

  @Test("A resumed run does not use what was written for a pack with another shape")
  func otherShape() throws {
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

  @Test("The next run removes what a killed run has left, and does not touch what a running one writes")
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
        #expect(
          living.folder.path == folder + "/other.pack" && FileManager.default.fileExists(atPath: folder + "/.other.pack.partial"))
      }
      try PackConverter(model, plan: plan).run(to: folder + "/model.pack")
      #expect(try names(in: folder) == ["model.gguf", "model.pack"])
      #expect(try !names(in: folder + "/model.pack").contains("node7.blob"))
    }
  }

  @Test("Space reserved by an interrupted run counts as free for the run that continues it")
  func room() throws {
    try withTemporaryFolder { folder in
      let staging = try Staging(for: folder + "/model.pack", .pack, replacing: false)
      let free = try #require(try FileManager.default.attributesOfFileSystem(forPath: folder)[.systemFreeSize] as? Int)
      // Other programs write to this filesystem meanwhile, so the numbers are far apart.
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

  @Test("A pack is replaced only on request, and nothing else is ever replaced")
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

  @Test("A source that changes during the conversion makes no pack", arguments: [nil, 3])
  func changedSource(level: Int?) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.gguf"
      let model = try write(to: path)
      var converter = PackConverter(model, plan: try PackPlan(model, options: PackOptions()))
      converter.compressionLevel = level
      var hasWritten = false
      let error = #expect(throws: PackError.self) {
        try converter.run(to: folder + "/model.pack") { (bytes) throws(PackError) in
          guard bytes > 0, !hasWritten else { return }
          hasWritten = true
          let file = FileHandle(forWritingAtPath: path)
          _ = try? file?.seekToEnd()
          try? file?.seek(toOffset: 1 << 20)
          try? file?.write(contentsOf: Data([1, 2, 3]))
          try? file?.close()
        }
      }
      #expect(error == .changed(file: path))
      #expect(try names(in: folder) == ["model.gguf"])
    }
  }

  @Test("A pack that changes while it is repacked or restored makes nothing")
  func changedPack() throws {
    try withTemporaryFolder { folder in
      let model = try write(to: folder + "/model.gguf", rows: 64)
      try PackConverter(model, plan: PackPlan(model, options: PackOptions())).run(to: folder + "/model.pack")
      let pack = try Pack.open(folder + "/model.pack")
      func change() {
        // Another file with the same bytes: either may have been read.
        let blob = pack.path + "/node0.blob"
        try? FileManager.default.copyItem(atPath: blob, toPath: folder + "/copy")
        _ = rename(folder + "/copy", blob)
      }
      let plan = try PackPlan(tensors: pack.manifest.tensors, options: PackOptions())
      #expect(throws: PackError.changed(file: pack.path + "/node0.blob")) {
        try PackConverter(pack, plan: plan).run(to: folder + "/other.pack", prepare: { change() })
      }
      #expect(throws: PackError.changed(file: pack.path + "/node0.blob")) {
        try PackRestorer(pack).run(to: folder + "/other.gguf", prepare: { change() })
      }
      #expect(try names(in: folder) == ["model.gguf", "model.pack"])
    }
  }

  @Test("Nothing is written through a link or a pipe in place of the hidden folder, the lock or the journal")
  func planted() throws {
    try withTemporaryFolder { folder in
      let model = try write(to: folder + "/model.gguf", rows: 64)
      var converter = PackConverter(model, plan: try PackPlan(model, options: PackOptions()))
      converter.resumes = true
      let (target, partial) = (folder + "/model.pack", folder + "/.model.pack.partial")
      let manager = FileManager.default
      try Data("precious".utf8).write(to: URL(filePath: folder + "/precious"))
      try manager.createDirectory(atPath: folder + "/elsewhere", withIntermediateDirectories: false)
      let plants: [(String, () throws -> Void)] = [
        (
          "a linked journal",
          {
            try manager.createDirectory(atPath: partial, withIntermediateDirectories: false)
            try manager.createSymbolicLink(atPath: partial + "/journal", withDestinationPath: folder + "/precious")
          }
        ),
        (
          "a journal that is a pipe",
          {
            try manager.createDirectory(atPath: partial, withIntermediateDirectories: false)
            #expect(mkfifo(partial + "/journal", 0o600) == 0)
          }
        ),
        ("a linked folder", { try manager.createSymbolicLink(atPath: partial, withDestinationPath: folder + "/elsewhere") }),
        (
          "a folder that others may write",
          {
            try manager.createDirectory(atPath: partial, withIntermediateDirectories: false)
            #expect(chmod(partial, 0o777) == 0)
          }
        ),
      ]
      for (what, plant) in plants {
        try plant()
        try converter.run(to: target, replacing: true)
        #expect(try PackVerifier(Pack.open(target)).run().isEmpty, "\(what)")
        #expect(try String(contentsOfFile: folder + "/precious", encoding: .utf8) == "precious", "\(what)")
        #expect(try names(in: folder + "/elsewhere").isEmpty, "\(what)")
        #expect(try names(in: folder) == ["model.gguf", "model.pack", "precious", "elsewhere"], "\(what)")
      }
      for plant in [{ mkfifo(partial + ".lock", 0o600) }, { symlink("/nowhere/at/all", partial + ".lock") }] {
        #expect(plant() == 0)
        let error = #expect(throws: PackError.self) { try converter.run(to: target, replacing: true) }
        #expect(error?.description.contains(".lock: this is") == true)
        try manager.removeItem(atPath: partial + ".lock")
      }
    }
  }

  @Test("A link to a pack stays a link, and the pack that it names is replaced")
  func linkedDestination() throws {
    try withTemporaryFolder { folder in
      let model = try write(to: folder + "/model.gguf", rows: 64)
      let converter = PackConverter(model, plan: try PackPlan(model, options: PackOptions()))
      try converter.run(to: folder + "/real.pack")
      try FileManager.default.createSymbolicLink(atPath: folder + "/link.pack", withDestinationPath: "real.pack")
      let before = try FileManager.default.attributesOfItem(atPath: folder + "/real.pack")[.systemFileNumber] as? Int
      #expect(throws: PackError.self) { try converter.run(to: folder + "/link.pack") }
      try converter.run(to: folder + "/link.pack", replacing: true)
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link.pack") == "real.pack")
      #expect(try FileManager.default.attributesOfItem(atPath: folder + "/real.pack")[.systemFileNumber] as? Int != before)
      #expect(try names(in: folder) == ["model.gguf", "real.pack", "link.pack"])
      // A result can be written neither to a dangling link nor to a pipe.
      try FileManager.default.createSymbolicLink(atPath: folder + "/nothing", withDestinationPath: "none")
      #expect(mkfifo(folder + "/pipe", 0o600) == 0)
      let pack = try Pack.open(folder + "/real.pack")
      for name in ["nothing", "pipe", "real.pack", "-"] {
        #expect(throws: PackError.self) { try PackRestorer(pack).run(to: folder + "/" + name, replacing: true) }
      }
    }
  }

  @Test("What a run leaves that was killed between the two steps of replacing is repaired")
  func recovery() throws {
    try withTemporaryFolder { folder in
      let model = try write(to: folder + "/model.gguf", rows: 64)
      let converter = PackConverter(model, plan: try PackPlan(model, options: PackOptions()))
      let (target, replaced) = (folder + "/model.pack", folder + "/.model.pack.replaced")
      try converter.run(to: target)
      try FileManager.default.moveItem(atPath: target, toPath: replaced)
      // The old pack is back before the run that would write a new one is refused.
      #expect(throws: PackError.self) { try converter.run(to: target) }
      #expect(try names(in: folder) == ["model.gguf", "model.pack"])
      try FileManager.default.copyItem(atPath: target, toPath: replaced)
      try converter.run(to: target, replacing: true)
      #expect(try names(in: folder) == ["model.gguf", "model.pack"])
    }
  }

  @Test(
    "A filesystem that cannot swap two folders atomically gets the result in two steps", .enabled(if: RefusedCalls.areAvailable),
    arguments: [
      RefusedCalls(.renameat2, error: EINVAL), RefusedCalls(.renameat2, error: ENOSYS), RefusedCalls(.renameat2, error: EPERM),
    ])
  func twoSteps(refused: RefusedCalls) throws {
    try withTemporaryFolder { folder in
      let model = try write(to: folder + "/model.gguf", rows: 64)
      let converter = PackConverter(model, plan: try PackPlan(model, options: PackOptions()))
      let target = folder + "/model.pack"
      try converter.run(to: target)
      try Data("old".utf8).write(to: URL(filePath: target + "/old"))
      try FileManager.default.createDirectory(atPath: folder + "/other", withIntermediateDirectories: false)
      #expect(try refused.run { try Folder<FileError>(folder).exchange("model.pack", with: "other") } == false)
      try refused.run { try converter.run(to: target, replacing: true) }
      #expect(try names(in: folder) == ["model.gguf", "model.pack", "other"])
      #expect(try names(in: target) == ["checksums.xxh3", "header.gguf", "node0.blob", "pack.json"])
      #expect(try PackVerifier(Pack.open(target)).run().isEmpty)
    }
  }

  @Test("The destination is checked before anything is read")
  func destinationFirst() throws {
    try withTemporaryFolder { folder in
      let model = try write(to: folder + "/model.gguf", rows: 64)
      let converter = PackConverter(model, plan: try PackPlan(model, options: PackOptions()))
      try converter.run(to: folder + "/model.pack")
      let pack = try Pack.open(folder + "/model.pack")
      for place in ["model.pack", "none/model.pack", "model.gguf/model.pack"] {
        var isPrepared = false
        #expect(throws: PackError.self) { try converter.run(to: folder + "/" + place, prepare: { isPrepared = true }) }
        #expect(throws: PackError.self) { try PackRestorer(pack).run(to: folder + "/" + place, prepare: { isPrepared = true }) }
        #expect(!isPrepared, "\(place)")
      }
    }
  }

  @Test("Tensors without elements are restored, whether first, last or in between")
  func withoutElements() throws {
    try withTemporaryFolder { folder in
      var writer = GGUFWriter()
      writer.tensors = [
        .init(name: "a", type: .f32, dimensions: [4, 0]), .init(name: "b", type: .q8_0, dimensions: [64, 40]),
        .init(name: "c", type: .q4_K, dimensions: [0, 3]), .init(name: "d", type: .f32, dimensions: [5]),
        .init(name: "e", type: .f32, dimensions: [32, 2, 0]),
      ]
      var random = SplitMix64(seed: 3)
      let sizes = [0, 68 * 40, 0, 20, 0]
      try writer.write(to: folder + "/model.gguf") { random.bytes(sizes[$0]) }
      let model = try GGUFModel.open(folder + "/model.gguf")
      var options = PackOptions()
      options.nodeCount = 2
      try PackConverter(model, plan: PackPlan(model, options: options)).run(to: folder + "/model.pack")
      let pack = try Pack.open(folder + "/model.pack")
      #expect(try PackVerifier(pack).run().isEmpty)
      try PackRestorer(pack).run(to: folder + "/restored.gguf")
      #expect(try contents(folder + "/restored.gguf") == contents(folder + "/model.gguf"))
    }
  }
}
