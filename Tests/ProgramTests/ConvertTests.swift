import Foundation
import Testing

@Suite("ggufpack as a user runs it")
struct ConvertTests {
  static let models = [
    "every-type.gguf", "gemma3-tiny.gguf", "llama-tiny.gguf", "qwen3moe-tiny.gguf", "vocabulary-only.gguf",
  ]
  static let shapes = [
    ["--nodes", "1"], ["--nodes", "2", "--align", "64K"], ["--nodes", "4"], ["--nodes", "2", "--placement", "mirror"],
    ["--nodes", "3", "--placement", "mirror", "--copies"], ["--nodes", "2", "--compress"],
  ]

  @Test("A model is packed, verified and restored, bit for bit", arguments: models, shapes)
  func roundTrip(model: String, shape: [String]) throws {
    let folder = try TemporaryFolder()
    let (pack, restored) = (folder.file("model.pack"), folder.file("restored.gguf"))
    let converted = try Program.ggufpack.run(["convert", Fixture.path(model), "-o", pack, "--quiet"] + shape)
    #expect(converted.exitCode == 0 && converted.errors.isEmpty, "\(converted.errors)")
    let verified = try Program.ggufpack.run("verify", pack, "--source", Fixture.path(model), "--quiet")
    #expect(verified.exitCode == 0, "\(verified.errors)")
    let result = try Program.ggufpack.run("restore", pack, "-o", restored, "--quiet")
    #expect(result.exitCode == 0, "\(result.errors)")
    #expect(FileManager.default.contentsEqual(atPath: Fixture.path(model), andPath: restored))
    #expect(try folder.names == ["model.pack", "restored.gguf"])
  }

  @Test("A split model is packed from any part, and restored as its parts", arguments: [1, 2])
  func split(part: Int) throws {
    let folder = try TemporaryFolder()
    let name = "llama-split-0000\(part)-of-00002.gguf"
    #expect(try Program.ggufpack.run("convert", Fixture.path(name), "-o", folder.file("m.pack"), "--quiet").exitCode == 0)
    #expect(try Program.ggufpack.run("restore", folder.file("m.pack"), "-o", folder.file("parts"), "--quiet").exitCode == 0)
    for number in [1, 2] {
      let name = "llama-split-0000\(number)-of-00002.gguf"
      #expect(FileManager.default.contentsEqual(atPath: Fixture.path(name), andPath: folder.file("parts/" + name)))
    }
  }

  @Test("A file that is missing, empty, foreign or cut short gets one line and exit code 2, and leaves nothing")
  func unreadable() throws {
    let folder = try TemporaryFolder()
    let whole = try Data(contentsOf: URL(filePath: Fixture.path("gemma3-tiny.gguf")))
    try Data().write(to: URL(filePath: folder.file("empty.gguf")))
    try Data("This is no model.".utf8).write(to: URL(filePath: folder.file("foreign.gguf")))
    try whole.prefix(whole.count / 2).write(to: URL(filePath: folder.file("short.gguf")))
    let before = try folder.names
    for name in ["missing.gguf", "empty.gguf", "foreign.gguf", "short.gguf"] {
      let result = try Program.ggufpack.run("convert", folder.file(name), "-o", folder.file("out.pack"))
      #expect(result.exitCode == 2 && !result.wasKilled)
      #expect(result.errors.hasPrefix("ggufpack: " + folder.file(name)), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
      #expect(try folder.names == before)
    }
  }

  @Test("A flipped bit anywhere in a pack is found, and its file named")
  func flippedBit() throws {
    let folder = try TemporaryFolder()
    let pack = folder.file("m.pack")
    #expect(try Program.ggufpack.run("convert", Fixture.path("llama-tiny.gguf"), "-o", pack, "--nodes", "2", "-q").exitCode == 0)
    for name in try FileManager.default.contentsOfDirectory(atPath: pack) where name != "checksums.xxh3" {
      let url = URL(filePath: pack + "/" + name)
      let good = try Data(contentsOf: url)
      var bad = good
      bad[bad.count / 2] ^= 0x10
      try bad.write(to: url)
      let result = try Program.ggufpack.run("verify", pack, "--quiet")
      #expect(result.exitCode == 1, "\(name): \(result.errors)")
      #expect(result.errors.contains(name), "\(result.errors)")
      try good.write(to: url)
    }
    #expect(try Program.ggufpack.run("verify", pack, "--quiet").exitCode == 0)
  }

  @Test("A pack that is there is not overwritten without --force")
  func force() throws {
    let folder = try TemporaryFolder()
    let pack = folder.file("m.pack")
    #expect(try Program.ggufpack.run("convert", Fixture.path("llama-tiny.gguf"), "-o", pack, "-q").exitCode == 0)
    let refused = try Program.ggufpack.run("convert", Fixture.path("gemma3-tiny.gguf"), "-o", pack, "-q")
    #expect(refused.exitCode == 2 && refused.errors.contains("--force"), "\(refused.errors)")
    #expect(try Program.ggufpack.run("convert", Fixture.path("gemma3-tiny.gguf"), "-o", pack, "-q", "--force").exitCode == 0)
    #expect(try Program.ggufpack.run("verify", pack, "--source", Fixture.path("gemma3-tiny.gguf"), "-q").exitCode == 0)
    #expect(try folder.names == ["m.pack"])
  }

  @Test("Wrong usage ends with exit code 64", arguments: [["convert"], ["convert", "x.gguf", "--nodes", "0"], ["frobnicate"]])
  func usage(arguments: [String]) throws {
    #expect(try Program.ggufpack.run(arguments).exitCode == 64)
  }
}
