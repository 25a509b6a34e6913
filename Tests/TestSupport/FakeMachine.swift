// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation

/// A folder with the files of /sys and /proc in which a machine describes itself; removed with this object.
package final class FakeMachine {
  package let root = FileManager.default.temporaryDirectory.appending(path: "machine-\(UUID().uuidString)").path

  package init() {}

  deinit { try? FileManager.default.removeItem(atPath: root) }

  /// Writes a file and a line end, creating the folders that it needs.
  package func write(_ path: String, _ text: String) throws {
    let file = URL(fileURLWithPath: root + "/" + path)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data((text + "\n").utf8).write(to: file)
  }

  /// Adds CPUs 0 ..< count with `threads` per core: core c has the CPUs c, c + count / threads, ….
  package func addCPUs(_ count: Int, threads: Int = 1, online: String? = nil) throws {
    try write("sys/devices/system/cpu/present", "0-\(count - 1)")
    try write("sys/devices/system/cpu/online", online ?? "0-\(count - 1)")
    let cores = count / threads
    for cpu in 0..<count {
      let siblings = (0..<threads).map { "\(cpu % cores + $0 * cores)" }.joined(separator: ",")
      try write("sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list", siblings)
    }
  }

  /// Adds a node with `mebibytes` MiB of memory, `free` of them free, and `id` of 8 huge pages free; `extra` has more fields of meminfo, in
  /// MiB.
  package func addNode(_ id: Int, cpus: String, mebibytes: Int, free: Int, distances: String, extra: [String: Int] = [:]) throws {
    let folder = "sys/devices/system/node/node\(id)"
    var lines = ["Node \(id) MemTotal: \(mebibytes << 10) kB", "Node \(id) MemFree: \(free << 10) kB"]
    lines += extra.map { "Node \(id) \($0.key): \($0.value << 10) kB" }
    try write(folder + "/meminfo", lines.joined(separator: "\n"))
    try write(folder + "/cpulist", cpus)
    try write(folder + "/distance", distances)
    try write(folder + "/hugepages/hugepages-2048kB/nr_hugepages", "8")
    try write(folder + "/hugepages/hugepages-2048kB/free_hugepages", "\(id)")
  }

  /// Returns a machine with two sockets of two nodes each, and 16 CPUs, two per core.
  package static func fourNodes() throws -> FakeMachine {
    let machine = FakeMachine()
    try machine.addCPUs(16, threads: 2)
    try machine.write("sys/devices/system/node/online", "0-3")
    let distances = ["10 16 32 32", "16 10 32 32", "32 32 10 16", "32 32 16 10"]
    for id in 0..<4 {
      try machine.addNode(
        id, cpus: "\(2 * id)-\(2 * id + 1),\(2 * id + 8)-\(2 * id + 9)", mebibytes: 1024, free: 512, distances: distances[id])
    }
    return machine
  }
}
