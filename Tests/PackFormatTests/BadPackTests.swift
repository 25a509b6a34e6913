// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import PackFormat
import Repack
import Testing

/// A wrong value in the manifest, and the message that it must get.
struct Lie: Sendable, CustomTestStringConvertible {
  let place: String
  let value: (any Sendable)?
  let answer: String

  init(_ place: String, _ value: (any Sendable)?, _ answer: String) {
    self.place = place
    self.value = value
    self.answer = answer
  }

  var testDescription: String { "\(place) = \(value.map { "\($0)" } ?? "nothing")" }
}

private let lies: [Lie] = [
  Lie("formatVersion", 2, "formatVersion is 2"), Lie("formatVersion", "1", "formatVersion"),
  Lie("layoutVersion", 7, "layoutVersion is 7"), Lie("layoutVersion", nil, "layoutVersion is missing"),
  Lie("layoutVersion", 0, "knows only 1 to 2"), Lie("layoutVersion", 1, "IQ2_XS has since layoutVersion 2"),
  Lie("nodeCount", 0, "nodeCount is 0"), Lie("nodeCount", 3, "one for each of 3 nodes"), Lie("nodeCount", -1, "nodeCount"),
  Lie("placement", "everywhere", "placement"), Lie("placement", "mirror", "one for each of 2 nodes"),
  Lie("copies", true, "copies is set"), Lie("alignment", 5000, "alignment is 5000"), Lie("alignment", 0, "alignment is 0"),
  Lie("chunkByteCount", 1 << 62, "chunkByteCount"), Lie("chunkByteCount", 8192, "digests for"),
  Lie("gapByteCount", -1, "gapByteCount is negative"), Lie("gapByteCount", 10, "it does not list gaps.bin"),
  Lie("source", [] as [Int], "source lists no file"), Lie("source.0.name", "../model.gguf", "not a plain file name"),
  Lie("source.0.byteCount", 3, "smaller than its own header"), Lie("source.0.byteCount", -1, "smaller than its own header"),
  Lie("source.0.headerByteCount", 1 << 40, "smaller than its own header"), Lie("source.0.headerByteCount", 0, "fewer than"),
  Lie("source.0.headerByteCount", -5, "fewer than"), Lie("source.0.headerByteCount", 40, "at byte"),
  Lie("blobs.0.file", "../node0.blob", "not a plain file name"), Lie("blobs.0.file", "node1.blob", "used twice"),
  Lie("blobs.0.file", "pack.json", "used twice"), Lie("blobs.0.file", "other.blob", "it does not list other.blob"),
  Lie("blobs.0.node", 1, "one for each of 2 nodes"), Lie("blobs.0.node", nil, "one for each of 2 nodes"),
  Lie("blobs.0.byteCount", -4096, "negative"), Lie("blobs.0.byteCount", 4096, "reaches beyond the end of node0.blob"),
  Lie("blobs.0.byteCount", Int.max, "digests for"),
  Lie("blobs.0.digest", String(repeating: "0", count: 32), "is not the one in pack.json"),
  Lie("blobs.0.digest", "zz", "32 hexadecimal digits"), Lie("blobs.0.chunks", [] as [String], "0 digests for"),
  Lie("blobs.0.storage", ["frameByteCount": 3, "segments": 0], "segments"),
  Lie("tensors.0", nil, "lists 3 tensors"), Lie("tensors.0.name", "other", "is not as header.gguf describes it"),
  Lie("tensors.0.type", "Q4_0", "is not as header.gguf describes it"),
  Lie("tensors.0.type", "Q9_9", "\"Q9_9\", which is not a weight type"),
  Lie("tensors.0.dimensions", [256, 51], "is not as header.gguf describes it"),
  Lie("tensors.0.dimensions", [] as [Int], "header.gguf"),
  Lie("tensors.0.part", 1, "is not as header.gguf describes it"), Lie("tensors.0.slices", [] as [Int], "cover 0 of its 50 rows"),
  Lie("tensors.0.slices.0", nil, "do not cover its rows in order"), Lie("tensors.0.slices.0.blob", 2, "which does not exist"),
  Lie("tensors.0.slices.0.blob", -1, "which does not exist"), Lie("tensors.0.slices.0.offset", 32, "not a multiple of 64"),
  Lie("tensors.0.slices.0.offset", -64, "not a multiple of 64"), Lie("tensors.0.slices.0.offset", Int.max - 63, "beyond the end"),
  Lie("tensors.0.slices.0.offset", 1 << 40, "beyond the end"), Lie("tensors.0.slices.0.byteCount", 64, "size or a number of rows"),
  Lie("tensors.0.slices.0.layout", "r32", "layout"), Lie("tensors.0.slices.0.layout", "r16k1", "size or a number of rows"),
  Lie("tensors.0.slices.0.rowBegin", 1, "in order"),
  Lie("tensors.0.slices.0.rowCount", 0, "in order"), Lie("tensors.0.slices.0.rowCount", Int.max, "beyond its rows"),
  Lie("tensors.0.slices.0.expertStride", 64, "expert stride of 64"), Lie("tensors.1.slices.0.expertStride", 0, "expert stride"),
  Lie("tensors.1.slices.0.expertStride", Int.max - 63, "beyond the end"), Lie("tensors.1.slices.0.expertStride", -64, "stride"),
  Lie("tensors.3.slices.0.offset", 0, "overlap"), Lie("tensors", "none", "tensors"), Lie("blobs", nil, "blobs is missing"),
]

@Suite("Bad packs")
struct BadPackTests {
  private var options: PackOptions {
    var options = PackOptions()
    options.nodeCount = 2
    options.alignment = 4096
    return options
  }

  /// Returns the line that opening gives, or nothing if the pack opens.
  private func answer(_ pack: SmallPack) -> String? {
    do {
      _ = try Pack.open(pack.path)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test("A manifest with a wrong value is refused in one line that names it", arguments: lies)
  func refuses(lie: Lie) throws {
    try SmallPack.with(options) { pack in
      #expect(answer(pack) == nil)
      try pack.change(lie.place, to: lie.value)
      let found = try #require(answer(pack), "it was accepted")
      #expect(found.contains(lie.answer), "it says: \(found)")
      #expect(found.hasPrefix(pack.path + "/"))
      #expect(!found.contains("\n"))
    }
  }

  @Test(
    "Storage that does not describe its blob is refused",
    arguments: [
      Lie("blobs.0.storage.frameByteCount", 1000, "does not describe"),
      Lie("blobs.0.storage.frameByteCount", 1 << 40, "does not describe"),
      Lie("blobs.0.storage.segments.0.byteCount", 0, "does not describe"),
      Lie("blobs.0.storage.segments.0.byteCount", Int.max, "describe"),
      Lie("blobs.0.storage.segments.0.frames", [Int.max, Int.max], "does not describe"),
      Lie("blobs.0.storage.segments.0.frames", [-1], "does not describe"),
      Lie("blobs.0.storage.segments.0.frames", [1], "bytes, but"),
      Lie("blobs.0.storage.segments.0.encoding", "lz4", "encoding"), Lie("blobs.0.storage.segments.0", nil, "does not describe"),
      Lie("blobs.0.storage", nil, "bytes, but the manifest says"),
    ])
  func storage(lie: Lie) throws {
    try SmallPack.with(options, compressed: true) { pack in
      #expect(answer(pack) == nil)
      try pack.change(lie.place, to: lie.value)
      let found = try #require(answer(pack), "it was accepted")
      #expect(found.contains(lie.answer), "it says: \(found)")
    }
  }

  @Test("Files that are missing, short, long, swapped, links, or not listed are refused by name")
  func files() throws {
    func check(_ expected: String, _ damage: (SmallPack) throws -> Void) throws {
      try SmallPack.with(options) { pack in
        try damage(pack)
        let found = try #require(answer(pack), "\(expected) was not noticed")
        #expect(found.contains(expected), "it says: \(found)")
      }
    }
    let manager = FileManager.default
    try check("node0.blob: the file has") { try $0.write(Array($0.bytes("node0.blob").dropLast()), to: "node0.blob") }
    try check("node1.blob: the file has") { try $0.write($0.bytes("node1.blob") + [0], to: "node1.blob") }
    try check("node1.blob: cannot open it: No such file") { try manager.removeItem(atPath: $0.path + "/node1.blob") }
    for name in ["pack.json", "header.gguf", "checksums.xxh3"] {
      try check("\(name): cannot open it: No such file") { try manager.removeItem(atPath: $0.path + "/" + name) }
    }
    try check("pack.json: damaged") { try $0.write($0.bytes("pack.json").dropLast() + [UInt8(ascii: " ")], to: "pack.json") }
    try check("header.gguf: damaged") { try $0.write([UInt8](repeating: 0, count: 8), to: "header.gguf") }
    try check("header.gguf: it has") {
      let bytes = try $0.bytes("header.gguf") + [0]
      try $0.write(bytes, to: "header.gguf")
      try $0.sign("header.gguf", bytes)
    }
    try check("node0.blob: cannot open it: No such file") { pack in
      try manager.removeItem(atPath: pack.path + "/node0.blob")
      try manager.createSymbolicLink(atPath: pack.path + "/node0.blob", withDestinationPath: "../outside")
    }
    try check("node0.blob: this is not a regular file") { pack in
      try manager.removeItem(atPath: pack.path + "/node0.blob")
      try manager.createSymbolicLink(atPath: pack.path + "/node0.blob", withDestinationPath: "/dev/zero")
    }
    for name in ["node0.blob", "pack.json", "header.gguf", "checksums.xxh3"] {
      // A pipe must not be waited for.
      try check("\(name): this is not a regular file") { pack in
        try manager.removeItem(atPath: pack.path + "/" + name)
        #expect(mkfifo(pack.path + "/" + name, 0o600) == 0)
      }
      try check("\(name): this is not a regular file") { pack in
        try manager.removeItem(atPath: pack.path + "/" + name)
        try manager.createDirectory(atPath: pack.path + "/" + name, withIntermediateDirectories: false)
      }
    }
    try check("it does not list node1.blob") { pack in
      let lines = String(decoding: try pack.bytes("checksums.xxh3"), as: UTF8.self).split(separator: "\n")
      try pack.write(Array(lines.filter { !$0.contains("node1") }.joined(separator: "\n").utf8), to: "checksums.xxh3")
    }
    try check("it lists stranger") { try $0.sign("stranger", [1, 2, 3]) }
    try check("line 1 is not a digest") { try $0.write(Array("hello\n".utf8), to: "checksums.xxh3") }
    try check("a second time") { try $0.write($0.bytes("checksums.xxh3") + $0.bytes("checksums.xxh3"), to: "checksums.xxh3") }
  }

  @Test("A list of digests longer than any pack's is refused without being read", arguments: [0, 0x0A, 0x61])
  func endlessChecksums(byte: UInt8) throws {
    try SmallPack.with(options) { pack in
      // At this size, reading it would take minutes; the file is sparse.
      let file = try #require(FileHandle(forWritingAtPath: pack.path + "/checksums.xxh3"))
      try file.write(contentsOf: Data(repeating: byte, count: 400_000))
      try file.truncate(atOffset: 1 << 40)
      try file.close()
      #expect(answer(pack)?.contains("checksums.xxh3: the file has 1099511627776 bytes, more than the limit of") == true)
      // As many bytes as are read, line by line.
      try pack.write([UInt8](repeating: byte, count: 290 * 1027), to: "checksums.xxh3")
      #expect(answer(pack)?.contains("checksums.xxh3: ") == true)
    }
  }

  @Test("A path that is not a pack is refused with what it is")
  func noPack() throws {
    try SmallPack.with(options) { pack in
      let parent = URL(filePath: pack.path).deletingLastPathComponent().path
      // The system's own texts, which differ between systems.
      let (missing, noFolder) = (String(cString: strerror(ENOENT)), String(cString: strerror(ENOTDIR)))
      #expect(answer(SmallPack(path: parent + "/none.pack")) == "\(parent)/none.pack: cannot open it: \(missing)")
      #expect(answer(SmallPack(path: parent)) == "\(parent): this folder is not a pack: it has no pack.json")
      let file = parent + "/other.gguf"
      try FileManager.default.copyItem(atPath: parent + "/model.gguf", toPath: file)
      #expect(answer(SmallPack(path: file)) == "\(file): this is a file, and a pack is a folder; convert the model to make one")
      #expect(answer(SmallPack(path: file + "/x")) == "\(file)/x: cannot look at it: \(noFolder)")
    }
  }

  @Test("Swapped blobs and single flipped bits are found by their digests")
  func damage() throws {
    try SmallPack.with(options) { pack in
      let opened = try Pack.open(pack.path)
      #expect(try PackVerifier(opened).run().isEmpty)
      let good = try pack.bytes("node1.blob")
      for place in [0, good.count / 2, good.count - 1] {
        var bad = good
        bad[place] ^= 1
        try pack.write(bad, to: "node1.blob")
        let damage = try PackVerifier(opened).run()
        #expect(damage == [.damaged(file: pack.path + "/node1.blob", chunk: 0, range: 0..<good.count)])
      }
    }
    var mirror = options
    mirror.placement = .mirror
    mirror.copies = true
    try SmallPack.with(mirror) { pack in
      var bytes = try pack.bytes("node1.blob")
      bytes[100] ^= 0x80
      try pack.write(bytes, to: "node1.blob")
      #expect(try PackVerifier(Pack.open(pack.path)).run().count == 1)
    }
  }

  @Test("Damage of a compressed blob is located in the chunk that contains the damaged bytes of the file")
  func compressedDamage() throws {
    try SmallPack.with(options, compressed: true) { pack in
      // Many chunks, some of which extend across frames; the digests are of the uncompressed content.
      let size = 4096
      let plain = try Pack.open(pack.path)
      let content = try (0..<2).map { index in try contents(plain, blob: index) }
      for (index, bytes) in content.enumerated() {
        let chunks = stride(from: 0, to: bytes.count, by: size).map { start in
          Digest(of: Array(bytes[start..<min(bytes.count, start + size)])).hex
        }
        try pack.change("blobs.\(index).chunks", to: chunks)
      }
      try pack.change("chunkByteCount", to: size)
      let opened = try Pack.open(pack.path)
      #expect(try PackVerifier(opened).run().isEmpty)
      let good = try pack.bytes("node0.blob")
      for place in stride(from: 0, to: good.count, by: good.count / 50) {
        var bad = good
        bad[place] ^= 0x55
        try pack.write(bad, to: "node0.blob")
        let damage = try PackVerifier(opened).run()
        #expect(!damage.isEmpty)
        for problem in damage {
          guard case .damaged(let file, let chunk, let range) = problem else {
            Issue.record("\(problem)")
            continue
          }
          #expect(file.hasSuffix("/node0.blob") || file == "node0.blob")
          #expect(range.contains(place), "byte \(place): \(problem)")
          #expect(chunk != nil || damage.count == 1)
        }
      }
    }
  }

  private func contents(_ pack: Pack, blob: Int) throws -> [UInt8] {
    let reader = try BlobReader(pack, blob: blob)
    var codec = try FrameCodec()
    var bytes = [UInt8](repeating: 0, count: reader.byteCount)
    try bytes.withUnsafeMutableBytes { try reader.read(0, into: $0, &codec) }
    return bytes
  }

  @Test(
    "Mutated manifests, headers and digest lists never trap, and never make a pack that reads outside its blobs", arguments: 0..<8)
  func mutations(seed: Int) throws {
    try SmallPack.with(options, compressed: seed % 2 == 1) { pack in
      var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 &+ 1
      func random(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(bound))
      }
      let names = [Pack.FileName.manifest, Pack.FileName.header, Checksums.fileName]
      let digits = Array("0123456789-.eE\"{}[],:nul".utf8)
      for _ in 0..<150 {
        let name = names[random(seed % 4 == 3 ? 3 : 2)]
        let good = try pack.bytes(name)
        let list = try pack.bytes(Checksums.fileName)
        var bad = good
        for _ in 0...random(3) {
          let place = random(bad.count)
          switch random(4) {
          case 0: bad[place] = UInt8(random(256))
          case 1: bad[place] = digits[random(digits.count)]
          case 2: bad.insert(contentsOf: Array("99999999999".utf8), at: place)
          default: bad.removeSubrange(place..<min(bad.count, place + 1 + random(40)))
          }
        }
        try pack.write(bad, to: name)
        if name != Checksums.fileName { try pack.sign(name, bad) }
        // What still opens must keep what opening promises.
        if let opened = try? Pack.open(pack.path) {
          for tensor in opened.manifest.tensors {
            for slice in tensor.slices {
              let extent = try #require(slice.extent(expertCount: tensor.expertCount))
              #expect(extent.upperBound <= opened.manifest.blobs[slice.blob].byteCount)
            }
          }
          _ = try? PackVerifier(opened).run()
        }
        try pack.write(good, to: name)
        try pack.write(list, to: Checksums.fileName)
      }
      #expect(answer(pack) == nil)
    }
  }

  @Test("A pack of links, as in a download cache, is read, and its digests are checked all the same")
  func links() throws {
    try SmallPack.with(options) { pack in
      let cache = pack.path + "/../cache"
      try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: false)
      for (number, name) in try FileManager.default.contentsOfDirectory(atPath: pack.path).enumerated() {
        try FileManager.default.moveItem(atPath: pack.path + "/" + name, toPath: cache + "/\(number)")
        try FileManager.default.createSymbolicLink(atPath: pack.path + "/" + name, withDestinationPath: "../cache/\(number)")
      }
      #expect(try PackVerifier(Pack.open(pack.path)).run().isEmpty)
    }
  }

  @Test("Slices that begin where no kernel can start are refused, for plain rows too", arguments: [5, 8, 17])
  func cuts(row: Int) throws {
    try SmallPack.with(PackOptions()) { pack in
      // `last` has 48 rows of two blocks of 74 bytes; the test makes them plain.
      try pack.change("tensors.3.slices.0.layout", to: "gguf")
      try pack.change("tensors.3.slices.0.rowCount", to: row)
      try pack.change("tensors.3.slices.0.byteCount", to: row * 148)
      let second: [String: Any] = [
        "blob": 0, "layout": "gguf", "offset": 1 << 21, "byteCount": (48 - row) * 148, "expertStride": 0, "rowBegin": row,
        "rowCount": 48 - row,
      ]
      try pack.change("tensors.3.slices.1", to: second)
      let found = try #require(answer(pack), "it was accepted")
      #expect(found.contains("begins at row \(row), which is not a multiple of 16"), "it says: \(found)")
    }
  }

  @Test("A blob or a source that stands for a terabyte of zeros is refused")
  func zeros() throws {
    try SmallPack.with(PackOptions(), compressed: true) { pack in
      let before = try Pack.open(pack.path).manifest.blobs[0].byteCount
      let (size, chunk) = (1 << 40, 1 << 30)
      let count = try Pack.open(pack.path).manifest.blobs[0].storage?.segments.count ?? 0
      try pack.change(
        "blobs.0.storage.segments.\(count)", to: ["byteCount": size - before, "encoding": "zero", "frames": [] as [Int]])
      try pack.change("blobs.0.byteCount", to: size)
      try pack.change("blobs.0.chunks", to: [String](repeating: String(repeating: "0", count: 32), count: size / chunk))
      try pack.change("chunkByteCount", to: chunk)
      let found = try #require(answer(pack), "it was accepted")
      #expect(found.contains("far more than the tensors in it can take"), "it says: \(found)")
    }
    try SmallPack.with(PackOptions()) { pack in
      try pack.change("source.0.byteCount", to: 1 << 40)
      let found = try #require(answer(pack), "it was accepted")
      #expect(found.contains("far more bytes than its tensors take"), "it says: \(found)")
    }
  }

  @Test("Unknown fields cost little: 40 MB of them are skipped", .timeLimit(.minutes(5)))
  func ballast() throws {
    try SmallPack.with(PackOptions()) { pack in
      let good = try pack.bytes("pack.json")
      for (unit, count) in [("0,", 1_000_000), ("{\"a\":[1,\"b\"]},", 200_000), ("[[[]]],", 100_000)] {
        try pack.writeManifest(Array(("{\"x\":[" + String(repeating: unit, count: count) + "0],").utf8) + good.dropFirst())
        #expect(answer(pack) == nil)
      }
      try pack.writeManifest(Array(("{\"x\":" + String(repeating: "[", count: 100_000)).utf8))
      #expect(try #require(answer(pack)).contains("levels deep"))
      try pack.write([UInt8](repeating: 0, count: 1 << 22), to: "checksums.xxh3")
      #expect(try #require(answer(pack)).contains("more than the limit of"))
    }
  }

  @Test("Texts of a manifest reach no terminal unescaped")
  func controlCharacters() throws {
    for place in ["tensors.0.name", "tensors.0.type", "tensors.0.slices.0.layout", "blobs.0.file", "source.0.name", "placement"] {
      try SmallPack.with(PackOptions()) { pack in
        try pack.change(place, to: "x\n\u{1b}[31mred\u{7}")
        let found = try #require(answer(pack), "\(place) was accepted")
        #expect(!found.unicodeScalars.contains { $0.value < 0x20 }, "\(place): \(found)")
      }
    }
  }

  @Test("For a path beside a pack, the error names the pack", arguments: ["model.gguf", "model"])
  func suggestions(name: String) throws {
    try SmallPack.with(PackOptions()) { pack in
      let path = pack.path.replacing("/model.pack", with: "/" + name)
      #expect(answer(SmallPack(path: path)) == "\(path): this is not a pack; did you mean \(pack.path)?")
    }
  }
}
