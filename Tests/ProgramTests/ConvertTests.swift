// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import TestSupport
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

  @Test("A model is converted, verified and restored bit for bit", arguments: models, shapes)
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

  @Test("xxhsum agrees with the digests, whatever the shape", arguments: shapes)
  func xxhsum(shape: [String]) throws {
    let folder = try TemporaryFolder()
    let pack = folder.file("m.pack")
    #expect(try Program.ggufpack.run(["convert", Fixture.path("every-type.gguf"), "-o", pack, "-q"] + shape).exitCode == 0)
    #expect(try Program.run("/usr/bin/env", ["-C", pack, "xxhsum", "-c", "checksums.xxh3"]).exitCode == 0)
  }

  @Test(
    "A reader written only from docs/FORMAT.md restores every model", arguments: models + ["llama-split-00001-of-00002.gguf"],
    shapes)
  func independentReader(model: String, shape: [String]) throws {
    let folder = try TemporaryFolder()
    let (pack, restored) = (folder.file("m.pack"), folder.file("restored"))
    #expect(try Program.ggufpack.run(["convert", Fixture.path(model), "-o", pack, "-q"] + shape).exitCode == 0)
    let reader = URL(filePath: #filePath).appending(path: "../../FormatReader/read-pack").standardized.path
    let result = try Program.run("/usr/bin/env", ["python3", reader, pack, restored])
    #expect(result.exitCode == 0, "\(result.errors)")
    let names = try FileManager.default.contentsOfDirectory(atPath: restored)
    #expect(names.count == (model.contains("-of-") ? 2 : 1))
    for name in names {
      #expect(FileManager.default.contentsEqual(atPath: Fixture.path(name), andPath: restored + "/" + name))
    }
  }

  @Test("verify --json always prints one document")
  func json() throws {
    struct Report: Decodable {
      struct Problem: Decodable { let description: String }
      let result: String
      let problems: [Problem]
      let sourceMatches: Bool?
    }
    let folder = try TemporaryFolder()
    let pack = folder.file("m.pack")
    #expect(try Program.ggufpack.run("convert", Fixture.path("llama-tiny.gguf"), "-o", pack, "-q").exitCode == 0)
    func check(_ path: String, source: String?, _ exitCode: Int32, _ result: String, matches: Bool?, problem: String?) throws {
      let run = try Program.ggufpack.run(["verify", path, "--json"] + (source.map { ["--source", $0] } ?? []))
      #expect(run.exitCode == exitCode && run.errors.isEmpty, "\(run.errors)")
      let report = try JSONDecoder().decode(Report.self, from: run.output)
      #expect(report.result == result && report.sourceMatches == matches)
      #expect(report.problems.count == (problem == nil ? 0 : 1))
      if let problem { #expect(report.problems.first?.description.contains(problem) == true, "\(report)") }
    }
    try check(pack, source: nil, 0, "good", matches: nil, problem: nil)
    try check(pack, source: Fixture.path("llama-tiny.gguf"), 0, "good", matches: true, problem: nil)
    try check(pack, source: Fixture.path("gemma3-tiny.gguf"), 1, "damaged", matches: false, problem: "gemma3-tiny.gguf: it has")
    try check(pack, source: folder.file("none"), 2, "unreadable", matches: nil, problem: "none: cannot open it: No such file")
    try check(folder.file("none"), source: nil, 2, "unreadable", matches: nil, problem: "none: cannot open it: No such file")
  }

  @Test("Several packs are verified in turn, and a fault in one does not stop the others from being checked")
  func several() throws {
    let folder = try TemporaryFolder()
    let (good, bad, none) = (folder.file("good.pack"), folder.file("bad.pack"), folder.file("none.pack"))
    for pack in [good, bad] {
      #expect(
        try Program.ggufpack.run("convert", Fixture.path("llama-tiny.gguf"), "-o", pack, "-q", "--align", "64K").exitCode == 0)
    }
    let blob = try #require(FileHandle(forWritingAtPath: bad + "/node0.blob"))
    try blob.seek(toOffset: 100)
    try blob.write(contentsOf: Data("damage".utf8))
    try blob.close()
    for (packs, exitCode) in [([good, good], 0), ([none, good], 2), ([bad, none, good], 1), ([none, bad], 1)] as [([String], Int32)]
    {
      let result = try Program.ggufpack.run(["verify"] + packs)
      #expect(result.exitCode == exitCode, "\(result.errors)")
      #expect(result.text.split(separator: "\n").count == packs.count { $0 == good }, "\(result.text)")
      #expect(result.errors.split(separator: "\n").count == packs.count { $0 != good }, "\(result.errors)")
      let json = try Program.ggufpack.run(["verify", "--json"] + packs)
      #expect(json.exitCode == exitCode && json.errors.isEmpty)
      let document = try #require(JSONSerialization.jsonObject(with: json.output) as? [String: Any])
      #expect(document["schemaVersion"] as? Int == 1)
      #expect(document["result"] as? String == ["good", "damaged", "unreadable"][Int(exitCode)])
      #expect((document["packs"] as? [[String: Any]])?.compactMap { $0["pack"] as? String } == packs)
    }
  }

  @Test(
    "inspect --json has what the manifest has, with sorted keys", arguments: [["--nodes", "2"], ["--compress", "--nodes", "1"]])
  func inspection(options: [String]) throws {
    let folder = try TemporaryFolder()
    let pack = folder.file("m.pack")
    #expect(try Program.ggufpack.run(["convert", Fixture.path("qwen3moe-tiny.gguf"), "-o", pack, "-q"] + options).exitCode == 0)
    let result = try Program.ggufpack.run("inspect", pack, "--json", "--tensors")
    #expect(result.exitCode == 0 && result.errors.isEmpty && result.text.hasPrefix("{\n  \"alignment\": "))
    let document = try #require(JSONSerialization.jsonObject(with: result.output) as? [String: Any])
    let manifest = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: pack + "/pack.json"))) as? [String: Any])
    for key in ["formatVersion", "layoutVersion", "nodeCount", "alignment"] {
      #expect(document[key] as? Int == manifest[key] as? Int)
    }
    #expect(document["schemaVersion"] as? Int == 1 && document["architecture"] as? String == "qwen3moe")
    func names(_ value: Any?, _ key: String) -> [String] { (value as? [[String: Any]] ?? []).compactMap { $0[key] as? String } }
    #expect(names(document["blobs"], "file") == names(manifest["blobs"], "file") && !names(document["blobs"], "file").isEmpty)
    #expect(names(document["tensors"], "name") == names(manifest["tensors"], "name") && !names(document["tensors"], "name").isEmpty)
    let types = try #require(document["types"] as? [[String: Any]])
    #expect(types.reduce(0) { $0 + ($1["tensorCount"] as? Int ?? 0) } == document["tensorCount"] as? Int)
    let used = types.reduce(0) { $0 + ($1["byteCount"] as? Int ?? 0) }
    let blobs = try #require(document["blobs"] as? [[String: Any]])
    #expect(blobs.reduce(0) { $0 + ($1["byteCount"] as? Int ?? 0) - ($1["paddingByteCount"] as? Int ?? 0) } == used)
    for blob in blobs {
      let size = try FileManager.default.attributesOfItem(atPath: pack + "/\(blob["file"] ?? "")")[.size] as? Int
      #expect(blob["storedByteCount"] as? Int == size && blob["isCompressed"] as? Bool == options.contains("--compress"))
    }
    let short = try Program.ggufpack.run("inspect", pack, "--json")
    #expect(short.exitCode == 0 && !short.text.contains("\"tensors\""))
  }

  @Test(
    "Without --nodes, a pack is made for the nodes of this machine, and the output says so",
    .enabled(if: Shell.mayMount && ProcessInfo.processInfo.activeProcessorCount >= 2))
  func nodesOfMachine() throws {
    // A machine with two nodes, in a mount namespace of its own.
    let machine = FakeMachine()
    try machine.addCPUs(2)
    try machine.write("sys/devices/system/node/online", "0-1")
    for id in 0..<2 { try machine.addNode(id, cpus: "\(id)", mebibytes: 1024, free: 512, distances: id == 0 ? "10 20" : "20 10") }
    try machine.write("proc/self/status", "Mems_allowed_list:\t0-1")
    let folder = try TemporaryFolder()
    let model = Fixture.path("llama-tiny.gguf")
    func run(_ command: String) throws -> Program.Result {
      let mounts = "for f in sys/devices/system proc/$$/status; do mount --bind \(machine.root)/${f/$$/self} /$f || exit 99; done"
      return try Shell(folder: folder).run("unshare -m bash -c '\(mounts); exec \(command)'")
    }
    let plan = try run("$G convert \(model) -o $W/m.pack --plan")
    #expect(plan.exitCode == 0 && plan.text.contains("node1.blob for node 1"), "\(plan.errors)")
    #expect(plan.text.contains("would have, for 2 nodes (as many as this machine has; --nodes"), "\(plan.text)")
    let converted = try run("$G convert \(model) -o $W/m.pack")
    #expect(converted.text.contains(" for 2 nodes (as many as this machine has; --nodes"), "\(converted.errors)")
    let asked = try run("$G convert \(model) -o $W/one.pack --nodes 1")
    #expect(asked.text.contains(" for 1 node, shard") && asked.errors.isEmpty, "\(asked.errors)")
    // The fix that doctor suggests for it is a single command, which works.
    let advice = try run("$P doctor $W/one.pack").text.split(separator: "\n").first { $0.contains("ggufpack repack") }
    #expect(
      advice == "     ggufpack repack \(folder.file("one.pack")) -o \(folder.file("one.pack")) --force --nodes 2", "\(advice ?? "")"
    )
    #expect(try Shell(folder: folder).run("ggufpack() { $G \"$@\"; }; \(advice ?? "false") -q").exitCode == 0)
    #expect(try Program.ggufpack.run("inspect", folder.file("one.pack")).text.contains("shard for 2 nodes"))
  }

  @Test("A split model is converted from any part, and restored as its parts", arguments: [1, 2])
  func split(part: Int) throws {
    let folder = try TemporaryFolder()
    let name = "llama-split-0000\(part)-of-00002.gguf"
    #expect(try Program.ggufpack.run("convert", Fixture.path(name), "-o", folder.file("m.pack"), "--quiet").exitCode == 0)
    #expect(try Program.ggufpack.run("restore", folder.file("m.pack"), "-o", folder.file("parts"), "--quiet").exitCode == 0)
    for number in [1, 2] {
      let name = "llama-split-0000\(number)-of-00002.gguf"
      #expect(FileManager.default.contentsEqual(atPath: Fixture.path(name), andPath: folder.file("parts/" + name)))
    }
    // convert can read what restore writes.
    #expect(try Program.ggufpack.run("convert", folder.file("parts"), "-o", folder.file("again.pack"), "-q").exitCode == 0)
    #expect(try Program.ggufpack.run("verify", folder.file("again.pack"), "--source", Fixture.path(name), "-q").exitCode == 0)
  }

  @Test("A file that is missing, empty, foreign or cut short gets one line and exit code 2, and nothing is left behind")
  func unreadable() throws {
    let folder = try TemporaryFolder()
    let whole = try Data(contentsOf: URL(filePath: Fixture.path("gemma3-tiny.gguf")))
    try Data().write(to: URL(filePath: folder.file("empty.gguf")))
    try Data("This is not a model.".utf8).write(to: URL(filePath: folder.file("foreign.gguf")))
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

  @Test("Padding of any size takes no memory")
  func padding() throws {
    let folder = try TemporaryFolder()
    var writer = GGUFWriter()
    writer.metadata["general.alignment"] = .uint32(8 << 20)
    writer.tensors = (0..<24).map { .init(name: "t\($0)", type: .f32, dimensions: [8]) }
    try writer.write(to: folder.file("wide.gguf")) { _ in [UInt8](repeating: 1, count: 32) }
    // 192 MiB of gaps, of which one byte is not zero, in 128 MiB of memory.
    let file = try #require(FileHandle(forWritingAtPath: folder.file("wide.gguf")))
    try file.seek(toOffset: 100 << 20 | 77)
    try file.write(contentsOf: Data([1]))
    try file.close()
    for arguments in [
      ["convert", folder.file("wide.gguf"), "-o", folder.file("m.pack"), "-q"],
      ["repack", folder.file("m.pack"), "-o", folder.file("m2.pack"), "-q"],
      ["restore", folder.file("m2.pack"), "-o", folder.file("restored.gguf"), "-q"],
    ] {
      let limited = ["-c", "ulimit -d 131072; exec \"$0\" \"$@\"", try Program.ggufpack.path] + arguments
      let result = try Program.run("/bin/bash", limited)
      #expect(result.exitCode == 0, "\(arguments[0]): \(result.errors)")
    }
    #expect(FileManager.default.contentsEqual(atPath: folder.file("wide.gguf"), andPath: folder.file("restored.gguf")))
  }

  @Test("A flipped bit anywhere in a pack is found, and its file is named")
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

  @Test("An existing pack is not overwritten without --force")
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
