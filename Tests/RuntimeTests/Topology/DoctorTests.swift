// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Glibc
import PackFormat
import TestSupport
import Testing

@testable import Doctor
@testable import PackRuntime

@Suite("The doctor")
struct DoctorTests {
  /// Returns the findings on a machine of four nodes and 16 CPUs, changed by `change`.
  private func findings(
    of pack: Pack? = nil, refusing error: CInt? = nil, affinity: [Int] = Array(0..<16), _ change: (FakeMachine) throws -> Void
  ) throws -> [Doctor.Finding] {
    let machine = try FakeMachine.fourNodes()
    try change(machine)
    let kernel = Kernel { $0 == .setPolicy ? error : nil }
    return Doctor(root: machine.root, affinity: affinity, kernel: kernel).examine(pack)
  }

  private static let folder = "sys/kernel/mm/transparent_hugepage"

  @Test("A machine in order has nothing to fix")
  func healthy() throws {
    let found = try findings {
      try $0.write("proc/sys/kernel/numa_balancing", "0")
      try $0.write(Self.folder + "/enabled", "always [madvise] never")
      try $0.write(Self.folder + "/defrag", "always defer defer+madvise [madvise] never")
      try $0.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance")
    }
    #expect(found.filter(\.isProblem).isEmpty, "\(found.filter(\.isProblem))")
  }

  @Test(
    "A problem shown by a file of the kernel comes with the command that fixes it",
    arguments: [
      ("proc/sys/kernel/numa_balancing", "1", "sudo sysctl kernel.numa_balancing=0"),
      (
        "sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]",
        "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"
      ),
      (
        "sys/kernel/mm/transparent_hugepage/defrag", "always madvise [never]",
        "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/defrag"
      ),
      ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave", "sudo cpupower frequency-set -g performance"),
      (
        "sys/devices/system/cpu/online", "0-13",
        "for c in 14 15; do echo 1 | sudo tee /sys/devices/system/cpu/cpu$c/online; done"
      ),
      (
        "proc/self/status", "Mems_allowed_list:\t0,2-3", "sudo systemctl set-property --runtime UNIT AllowedMemoryNodes=0-3"
      ),
    ])
  func fixed(path: String, text: String, remedy: String) throws {
    let found = try findings { try $0.write(path, text) }
    #expect(found.contains { $0.isProblem && $0.remedy == remedy }, "\(found)")
  }

  @Test("Every fix says what it changes and how to undo it; a fix that is lost at the next boot has a lasting command")
  func fixes() throws {
    let found = try findings(refusing: EPERM) {
      try $0.write("proc/sys/kernel/numa_balancing", "2")
      try $0.write(Self.folder + "/enabled", "always madvise [never]")
      try $0.write(Self.folder + "/defrag", "always madvise [never]")
      try $0.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave")
      try $0.write("sys/devices/system/cpu/online", "0-13")
      try $0.write("sys/fs/cgroup/cpu.max", "150000 100000")
      try $0.write("proc/self/status", "Mems_allowed_list:\t0,2-3")
    }
    let fixes = found.filter(\.isProblem).compactMap(\.fix)
    #expect(fixes.count == 8 && fixes.count == found.count(where: \.isProblem))
    for fix in fixes {
      #expect(!fix.change.isEmpty && fix.undo?.isEmpty == false, "\(fix)")
      #expect(fix.change.contains("until the next boot") == (fix.lasting != nil), "\(fix)")
    }
    let balancing = try #require(fixes.first { $0.command.contains("numa_balancing") })
    #expect(balancing.undo == "sudo sysctl kernel.numa_balancing=2")
    #expect(balancing.lasting?.command == "echo kernel.numa_balancing=0 | sudo tee /etc/sysctl.d/90-packrun.conf")
    #expect(balancing.lasting?.undo == "sudo rm /etc/sysctl.d/90-packrun.conf")
    let cpus = try #require(fixes.first { $0.command.contains("online") })
    #expect(cpus.undo == "for c in 14 15; do echo 0 | sudo tee /sys/devices/system/cpu/cpu$c/online; done")
    #expect(try #require(fixes.first { $0.command.contains("cpupower") }).undo == "sudo cpupower frequency-set -g powersave")
  }

  @Test("Different governors are restored one by one")
  func governors() throws {
    let found = try findings {
      try $0.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave")
      try $0.write("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "ondemand")
      try $0.write("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave")
    }
    let fix = try #require(found.compactMap(\.fix).first { $0.command.contains("cpupower") })
    #expect(fix.undo == "sudo cpupower -c 1 frequency-set -g ondemand; sudo cpupower -c 0,2 frequency-set -g powersave")
  }

  @Test("A lasting command writes one line of tmpfiles.d for each file of the kernel")
  func lasting() throws {
    let fix = Fix.Lasting.atBoot(["w /sys/a/b*/c - - - - madvise", "w /sys/d - - - - 1"], "name")
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/bash")
    shell.arguments = ["-c", "sudo() { shift; echo \"$@\" >&2; cat; }; \(fix.command)"]
    let (output, errors) = (Pipe(), Pipe())
    (shell.standardOutput, shell.standardError) = (output, errors)
    try shell.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    shell.waitUntilExit()
    #expect(text == "w /sys/a/b*/c - - - - madvise\nw /sys/d - - - - 1\n")
    #expect(fix.undo == "sudo rm /etc/tmpfiles.d/packrun-name.conf")
  }

  @Test("CPUs that are off because SMT is off are fine; a single CPU's governor is reported, and so is a quota")
  func siblings() throws {
    let found = try findings {
      try $0.write("sys/devices/system/cpu/online", "0-7")
      try $0.write("sys/devices/system/cpu/smt/control", "off")
      for cpu in 0..<8 {
        try $0.write("sys/devices/system/cpu/cpu\(cpu)/cpufreq/scaling_governor", cpu == 3 ? "powersave" : "performance")
      }
      try $0.write("sys/fs/cgroup/cpu.max", "150000 100000")
    }
    #expect(found.contains { !$0.isProblem && $0.text.hasPrefix("SMT is switched off: CPUs 8-15 are off") })
    #expect(!found.contains { $0.isProblem && $0.text.contains("switched off") })
    #expect(found.contains { $0.isProblem && $0.text == "the frequency governor is powersave on CPU 3" })
    let quota = try #require(found.first { $0.text.contains("quota") })
    #expect(quota.isProblem && quota.text.hasSuffix("allows the time of 1.5 CPUs, of 8 cores: packrun starts 1 thread"))
    #expect(quota.remedy == "docker update --cpus 8 CONTAINER")
  }

  @Test(
    "A path in a command is one word of the shell, whatever its characters",
    arguments: [
      "/a/b.pack", "/a b", "it's", "$(true)`x`\"\\", "-rf", "-a b", "tab\tnew\nline\u{9b}\u{202e}'", "é", "*?[", "~",
      "a=b;c&d|e<f>#", "",
    ])
  func quoted(path: String) throws {
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/bash")
    shell.arguments = ["-c", "printf %s \(path.shellWord)"]
    let pipe = Pipe()
    shell.standardOutput = pipe
    try shell.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    shell.waitUntilExit()
    #expect(String(decoding: output, as: UTF8.self) == (path.hasPrefix("-") ? "./" + path : path))
    #expect(!path.shellWord.unicodeScalars.contains { $0.properties.generalCategory == .control })
  }

  @Test("Refused policies, forbidden CPUs and a cgroup's limit are reported")
  func confined() throws {
    let found = try findings(refusing: EPERM, affinity: [0, 1, 4, 5, 6, 7]) {
      try $0.write("proc/self/cgroup", "0::/box")
      try $0.write("sys/fs/cgroup/box/memory.max", "\(1 << 30)")
      try $0.write("sys/fs/cgroup/box/memory.current", "\(1 << 28)")
    }
    #expect(
      found.contains { $0.isProblem && $0.text.contains("Operation not permitted") && $0.remedy?.contains("SYS_NICE") == true })
    #expect(found.contains { $0.isProblem && $0.text.contains("CPUs 2-3,10-11 of node 1") })
    #expect(found.contains { $0.text == "the cgroup /sys/fs/cgroup/box leaves 768.0 MiB" })
  }

  @Test("The doctor reports a pack for too few nodes, huge pages to reserve, and a node with too little memory for the pack")
  func pack() throws {
    let small = try RandomPack()
    let pack = try small.pack(nodes: 2, .shard)
    let found = try findings(of: pack) {
      try $0.addNode(1, cpus: "2-3,10-11", mebibytes: 1024, free: 40, distances: "16 10 32 32")
    }
    let lines = found.filter(\.isProblem).map(\.text)
    #expect(lines.contains { $0.hasPrefix("too little free memory: node 1 is 10.0 MiB short (50.0 MiB needed, 40.0 MiB free)") })
    // Node 0 has none of 8 huge pages free, node 1 has one, which is enough.
    #expect(
      found.contains { $0.remedy == "echo 9 | sudo tee /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages" })
    let idle = try #require(found.first { $0.text.contains("idle") })
    #expect(idle.isProblem && idle.text.hasPrefix("pack made for 2 of 4 nodes: node 2-3 stays idle"))
    #expect(idle.remedy?.hasSuffix("--nodes 4") == true)
    let other = try findings(of: small.pack(nodes: 4, .shard)) { _ in }
    #expect(!other.contains { $0.text.contains("idle") })
  }

  @Test(
    "A limit that leaves too little for a pack is fixed by raising it, not by memory of other nodes",
    arguments: [
      ("/box", "echo 104857600 | sudo tee /sys/fs/cgroup/box/memory.max"),
      ("/system.slice/models.service", "sudo systemctl set-property --runtime models.service MemoryMax=104857600"),
      ("/", "docker update --memory 104857600 --memory-swap -1 CONTAINER"),
    ])
  func limit(path: String, remedy: String) throws {
    let small = try RandomPack()
    let found = try findings(of: small.pack(nodes: 2, .shard)) {
      let folder = "sys/fs/cgroup" + (path == "/" ? "" : path)
      try $0.write("proc/self/cgroup", "0::\(path)")
      try $0.write(folder + "/memory.max", "\(90 << 20)")
      try $0.write(folder + "/memory.current", "\(80 << 20)")
    }
    // 10 MiB are left, and two blobs of 2 MiB with the margin of 16 make 20.
    let line = try #require(found.first { $0.text.contains("leaves too little memory") })
    #expect(line.isProblem && line.remedy == remedy)
  }

  @Test("Pinned replicas need no room, and stale ones are reported")
  func pinned() throws {
    let small = try RandomPack()
    let pack = try small.pack(nodes: 1, .shard)
    let plan = TeamPlan(teams: [.init(node: 0, cpus: [Topology.currentAffinity()[0]])])
    _ = try PinnedReplicas.pin(pack, plan: plan, in: .init(path: small.folder, isHugeTLB: false), options: MemoryOptions())
    func look() throws -> [Doctor.Finding] {
      try findings(of: pack) {
        try $0.write("proc/mounts", "none \(small.folder) hugetlbfs rw,pagesize=2M 0 0")
        try $0.addNode(0, cpus: "0-1,8-9", mebibytes: 1024, free: 20, distances: "10 16 32 32")
      }
    }
    let found = try look()
    #expect(found.contains { !$0.isProblem && $0.text.hasPrefix("the pack's replicas are pinned in \(small.folder)/ggufpack-") })
    #expect(!found.contains { $0.text.contains("too little free memory") || $0.text.contains("weights are copied") })
    let place = PinnedReplicas.Place(path: small.folder, isHugeTLB: false)
    #expect(chmod(PinnedReplicas(pack).folder(in: place) + "/blob0-node0", 0o600) == 0)
    #expect(try look().contains { $0.isProblem && $0.remedy == "packrun pin \(pack.path)" })
  }
}
