// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import GGUFWriting
import Testing

@Suite("packrun's commands about placement, as a user runs them", .serialized, .timeLimit(.minutes(2)))
struct PlacementTests {
  private let folder: TemporaryFolder
  private let pack: String

  init() throws {
    (folder, pack) = try Fixture.pack("tiny.pack", "--nodes", "2")
  }

  private func document(_ text: some StringProtocol) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test(
    "The report has every blob, all of whose pages are local on a machine of one node, or says why not"
  )
  func report() throws {
    let result = try Program.packrun.run(
      "placement", pack, "--json", "--memory", "anon", "--require-local", "100")
    #expect(result.exitCode == 0, "\(result.errors)")
    let report = try document(result.text)
    #expect(report["schemaVersion"] as? Int == 1 && report["memory"] as? String == "anon")
    let blobs = try #require(report["blobs"] as? [[String: Any]])
    #expect(blobs.map { $0["file"] as? String } == ["node0.blob", "node1.blob"])
    for blob in blobs {
      #expect(blob["localPercent"] as? Double == 100 && blob["absentPages"] as? Int == 0)
    }
    #expect((report["bandwidth"] as? [Any])?.isEmpty == false)
    #expect(
      try Program.packrun.run("placement", pack, "--no-bandwidth", "--require-local", "100.5")
        .exitCode == 64)
  }

  @Test("--svg and --html write the picture and the report, each complete in one file or not at all")
  func picture() throws {
    let (svg, html) = (folder.file("p.svg"), folder.file("p.html"))
    let result = try Program.packrun.run("placement", pack, "--no-bandwidth", "--svg", svg, "--html", html)
    #expect(result.exitCode == 0, "\(result.errors)")
    let picture = try String(contentsOfFile: svg, encoding: .utf8)
    #expect(picture.hasPrefix("<svg ") && picture.hasSuffix("</svg>\n") && picture.contains(">tiny.pack: "))
    let page = try String(contentsOfFile: html, encoding: .utf8)
    #expect(page.hasPrefix("<!DOCTYPE html>") && page.contains("node1.blob") && !page.contains("src=") && !page.contains("href="))
    let names = try folder.names
    for path in ["/nowhere/p.svg", folder.path] {
      let refused = try Program.packrun.run("placement", pack, "--no-bandwidth", "--svg", path)
      #expect(refused.exitCode == 2 && refused.output.isEmpty && refused.errors.isOneLine, "\(refused.errors)")
    }
    #expect(try Program.packrun.run("placement", pack, "--svg", "-").exitCode == 64)
    #expect(try folder.names == names)
  }

  @Test(
    "An answer tells what crossed the teams and where their memory is; one team alone has nothing that crosses"
  )
  func crossing() throws {
    for (teams, crosses) in [("1", false), ("2", true)] {
      let result = try Program.packrun.run(
        pack, "-p", "Once", "-n", "4", "--temp", "0", "--ignore-eos", "--ctx", "32", "--json",
        "--teams", teams)
      let end = try document(#require(result.text.split(separator: "\n").last))
      let perToken = try #require(end["crossedBytesPerToken"] as? Int)
      #expect((perToken > 0) == crosses, "\(end)")
      let memory = try #require(end["activations"] as? [[String: Any]])
      #expect(!memory.isEmpty)
      for node in memory {
        #expect(node["localPages"] as? Int ?? 0 > 0 && node["otherPages"] as? Int == 0)
      }
    }
  }

  @Test(
    "Wrong options give one line",
    arguments: [
      ["--memory", "paper"], ["--cpus", "99999"], ["--cpus", "a"], ["--map-nodes", "0=0"],
      ["--map-nodes", "0=0,1=4000"],
      ["--map-nodes", ""], ["--map-nodes", "0"], ["--map-nodes", "0="], ["--map-nodes", "0=1,0=2"], ["--map-nodes", "a=b"],
      ["--map-nodes", "0=-1"], ["--map-nodes", "0=1,"], ["--threads", "0"], ["--memory", "pinned"],
    ])
  func wrongOptions(options: [String]) throws {
    for command in [["placement", pack], ["run", pack, "-p", "x"]] {
      let result = try Program.packrun.run(command + options)
      #expect(result.exitCode == 64)
      let lines = result.errors.split(separator: "\n")
      #expect(lines.count == 1 && lines.first?.contains(options[0]) == true && result.output.isEmpty, "\(result.errors)")
    }
  }

  @Test("A KV cache too large for any machine gives one line and exit code 3, before the weights are read")
  func hugeContext() throws {
    let result = try Program.packrun.run(pack, "-p", "x", "--ctx", "268435456")
    #expect(result.exitCode == 3, "\(result.errors)")
    #expect(
      result.errors.contains("for the KV cache and activations") && result.errors.contains("use a context of at most ")
        && !result.errors.contains("--map-nodes") || result.errors.contains("the cgroup"), "\(result.errors)")
  }

  @Test("Each problem that the doctor reports has a command below it")
  func doctor() throws {
    let result = try Program.packrun.run("doctor", pack)
    #expect(result.exitCode == 0)
    let lines = result.text.split(separator: "\n")
    #expect(
      lines.allSatisfy {
        $0.hasPrefix("ok   ") || $0.hasPrefix("fix  ") || $0.hasPrefix("     ")
      })
    for (index, line) in lines.enumerated() where line.hasPrefix("fix") {
      #expect(index + 1 < lines.count && lines[index + 1].hasPrefix("     "), "\(line)")
    }
    // The JSON document has the same content, with sorted keys.
    let printed = try Program.packrun.run("doctor", pack, "--json")
    #expect(printed.exitCode == 0 && printed.errors.isEmpty)
    let report = try document(printed.text)
    #expect(report["schemaVersion"] as? Int == 1 && report["pack"] as? String == pack)
    let findings = try #require(report["findings"] as? [[String: Any]])
    let problems = findings.count { $0["isProblem"] as? Bool == true }
    #expect(findings.count == lines.count { !$0.hasPrefix("     ") })
    #expect(problems == lines.count { $0.hasPrefix("fix") } && report["problemCount"] as? Int == problems)
    for finding in findings {
      let fix = finding["fix"] as? [String: Any]
      #expect(finding["isProblem"] as? Bool != true || fix?["command"] != nil && fix?["change"] != nil, "\(finding)")
    }
    #expect(try Program.packrun.run("doctor", pack, "--check").exitCode == (problems > 0 ? 1 : 0))
    #expect(try Program.packrun.run("doctor", pack + "x", "--json").exitCode == 2)
  }

  @Test(
    "The doctor does not claim to know what is cached of another user's files",
    .enabled(if: geteuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")))
  func othersFiles() throws {
    let pack = try largePack(mebibytes: 8)
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]
    let result = try Program.run("/usr/bin/setpriv", nobody + [Program.packrun.path, "doctor", pack])
    #expect(result.exitCode == 0, "\(result.errors)")
    #expect(!result.text.contains("are cached in small pages"), "\(result.text)")
  }

  @Test(
    "Pinned replicas are found, and are gone after unpin",
    .enabled(if: FileManager.default.isWritableFile(atPath: "/dev/shm")))
  func pinned() throws {
    let pin = try Program.packrun.run("pin", pack, "--place", "tmpfs")
    #expect(pin.exitCode == 0 && pin.text.contains("/dev/shm/"), "\(pin.errors)")
    let list = try Program.packrun.run("pin", "--list")
    let line = list.text.split(separator: "\n").first {
      $0.contains("/tiny.pack ") && $0.contains(folder.path.split(separator: "/").last ?? "?")
    }
    #expect(list.exitCode == 0 && line?.contains(" ready ") == true && line?.contains("/dev/shm/ggufpack-") == true, "\(list.text)")
    #expect(try Program.packrun.run("pin").exitCode == 64)
    let report = try document(
      Program.packrun.run("placement", pack, "--json", "--no-bandwidth").text)
    #expect(report["memory"] as? String == "pinned")
    #expect(try Program.packrun.run("unpin", pack).text.hasPrefix("freed "))
    #expect(try Program.packrun.run("unpin", pack).errors == "packrun: nothing is pinned\n")
    #expect(try Program.packrun.run("placement", pack, "--memory", "pinned").exitCode == 64)
  }

  private func largePack(mebibytes: Int) throws -> String {
    var writer = GGUFWriter()
    writer.tensors = [.init(name: "t", type: .f32, dimensions: [1024, mebibytes << 8])]
    try writer.write(to: folder.file("large.gguf")) { _ in [UInt8](repeating: 1, count: mebibytes << 20) }
    let pack = folder.file("large.pack")
    let made = try Program.ggufpack.run("convert", folder.file("large.gguf"), "-o", pack, "-q")
    try #require(made.exitCode == 0, "\(made.errors)")
    return pack
  }

  /// Whether this process may mount filesystems for itself.
  private static let mayMount: Bool = {
    let tried = try? Program.run("/usr/bin/unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"])
    return tried?.exitCode == 0
  }()

  @Test("A tmpfs too small for the replicas gives one line that says how to enlarge it, and exit code 3", .enabled(if: mayMount))
  func smallTmpfs() throws {
    let pack = try largePack(mebibytes: 8)
    let script = "mount -t tmpfs -o size=5M none /dev/shm && exec \"$0\" pin \"$1\" --place tmpfs"
    let result = try Program.run("/usr/bin/unshare", ["-m", "sh", "-c", script, Program.packrun.path, pack])
    #expect(result.exitCode == 3)
    let what = "packrun: /dev/shm has too little room: 3.0 MiB short (8.0 MiB needed, 5.0 MiB free); "
    #expect(result.errors == what + "enlarge it (mount -o remount,size=9M /dev/shm)\n")
  }

  @Test(
    "A signal while replicas are being pinned leaves none, and the exit code has its number",
    .enabled(if: FileManager.default.isWritableFile(atPath: "/dev/shm")), arguments: [SIGINT, SIGTERM])
  func interruptedPin(signal: Int32) throws {
    let pack = try largePack(mebibytes: 256)
    let own = "/dev/shm/ggufpack-\(geteuid())"
    func names() -> Set<String> { Set((try? FileManager.default.contentsOfDirectory(atPath: own)) ?? []) }
    let before = names()
    for _ in 0..<5 {
      let process = Process()
      process.executableURL = URL(filePath: try Program.packrun.path)
      process.arguments = ["pin", pack, "--place", "tmpfs"]
      (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
      try process.run()
      while process.isRunning, !names().subtracting(before).contains(where: { $0.hasSuffix(".partial") }) { usleep(100) }
      kill(process.processIdentifier, signal)
      process.waitUntilExit()
      #expect(process.terminationReason == .exit)
      // The signal may arrive after the last piece; then everything is there.
      if process.terminationStatus == 128 + signal {
        #expect(names().isSubset(of: before))
        return
      }
      #expect(try Program.packrun.run("unpin", pack).exitCode == 0)
    }
    Issue.record("five runs were over before the signal came")
  }
}
