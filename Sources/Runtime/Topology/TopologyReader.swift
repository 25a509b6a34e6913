// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import SystemPackage

extension Topology {
  /// Reads the topology as the kernel shows it.
  ///
  /// - Parameters:
  ///   - root: The folder that holds `sys` and `proc`.
  ///   - affinity: The CPUs that may be used; nil means those of the calling thread.
  public static func read(root: String = "", affinity: [Int]? = nil) -> Topology {
    TopologyReader(root: root, affinity: Set(affinity ?? currentAffinity())).read()
  }

  /// Returns the CPUs that the calling thread may run on (`taskset`, cpuset), in ascending order.
  public static func currentAffinity() -> [Int] {
    var cpus = [Int32](repeating: 0, count: 16384)
    let count = unsafe cl_affinity(&cpus, Int32(cpus.count))
    return count > 0 ? cpus[..<Int(count)].map { Int($0) } : [0]
  }
}

/// Assembles a topology from the files under one /sys and /proc.
private struct TopologyReader {
  let root: String
  let affinity: Set<Int>

  private var folder: String { root + "/sys/devices/system" }

  func read() -> Topology {
    let present = list("cpu/present") ?? []
    let online = Set(list("cpu/online") ?? affinity.sorted())
    let usable = affinity.intersection(online)
    let offline = present.filter { !online.contains($0) }
    guard let ids = list("node/online"), !ids.isEmpty else {
      return Topology(
        nodes: [wholeMachine(usable)], hasNodeFolder: false, offlineCPUs: offline, cpuQuota: CPUQuota.read(root: root))
    }
    let allowed = allowedNodes()
    var nodes = ids.map { node($0, ids: ids, usable: usable, isAllowed: allowed?.contains($0) ?? true) }
    adopt(&nodes)
    return Topology(nodes: nodes, hasNodeFolder: true, offlineCPUs: offline, cpuQuota: CPUQuota.read(root: root))
  }

  private func list(_ name: String) -> [Int]? { TextFile.read("\(folder)/\(name)").flatMap { NumberList.parse($0) } }

  /// Returns the nodes that the cpuset allows; nil if the kernel does not say.
  private func allowedNodes() -> Set<Int>? {
    guard let status = TextFile.read(root + "/proc/self/status") else { return nil }
    for line in status.split(separator: "\n") where line.hasPrefix("Mems_allowed_list:") {
      guard let text = line.split(separator: "\t").last, let nodes = NumberList.parse(text) else { return nil }
      return Set(nodes)
    }
    return nil
  }

  private func node(_ id: Int, ids: [Int], usable: Set<Int>, isAllowed: Bool) -> Topology.Node {
    let memory = TextFile.read("\(folder)/node/node\(id)/meminfo").map { TextFile.fields($0) } ?? [:]
    let distances = (TextFile.read("\(folder)/node/node\(id)/distance") ?? "").split(separator: " ").compactMap { Int($0) }
    return Topology.Node(
      id: id, cores: cores((list("node/node\(id)/cpulist") ?? []).filter { usable.contains($0) }),
      memory: memory["MemTotal"] ?? 0, freeMemory: memory["MemFree"] ?? 0, reclaimableMemory: Self.reclaimable(memory),
      hugePages: hugePages("\(folder)/node/node\(id)/hugepages"), isAllowed: isAllowed,
      distances: Dictionary(zip(ids, distances), uniquingKeysWith: { first, _ in first }))
  }

  private func wholeMachine(_ usable: Set<Int>) -> Topology.Node {
    let memory = TextFile.read(root + "/proc/meminfo").map { TextFile.fields($0) } ?? withoutFiles()
    return Topology.Node(
      id: 0, cores: cores(usable.sorted()), memory: memory["MemTotal"] ?? 0, freeMemory: memory["MemFree"] ?? 0,
      reclaimableMemory: Self.reclaimable(memory), hugePages: hugePages(root + "/sys/kernel/mm/hugepages"), isAllowed: true,
      distances: [0: 10])
  }

  /// Returns what the C library knows, for when neither /sys nor /proc can be read.
  private func withoutFiles() -> [String: Int] {
    guard root.isEmpty else { return [:] }
    let page = sysconf(CInt(_SC_PAGESIZE))
    return ["MemTotal": sysconf(CInt(_SC_PHYS_PAGES)) * page, "MemFree": sysconf(CInt(_SC_AVPHYS_PAGES)) * page]
  }

  /// Returns the bytes of clean file pages that nothing has mapped. Dirty and mapped pages are not given up at once, so they do not count.
  ///
  /// Pages of a tmpfs count as mapped but not as file pages, so up to that many of the mapped pages may belong to a tmpfs.
  private static func reclaimable(_ memory: [String: Int]) -> Int {
    let file = (memory["Active(file)"] ?? 0) + (memory["Inactive(file)"] ?? 0)
    let mapped = max(0, (memory["Mapped"] ?? 0) - (memory["Shmem"] ?? 0))
    return max(0, file - mapped - (memory["Dirty"] ?? 0) - (memory["Writeback"] ?? 0))
  }

  /// Groups CPUs by the core whose hardware threads they are.
  private func cores(_ cpus: [Int]) -> [[Int]] {
    var rest = Set(cpus)
    var cores: [[Int]] = []
    for cpu in cpus where rest.contains(cpu) {
      let siblings = (list("cpu/cpu\(cpu)/topology/thread_siblings_list") ?? []).filter { rest.contains($0) }
      let core = siblings.contains(cpu) ? siblings : [cpu]
      rest.subtract(core)
      cores.append(core)
    }
    return cores
  }

  private func hugePages(_ folder: String) -> [Topology.HugePages] {
    [2 << 10, 1 << 20].compactMap { kibibytes in
      let size = "\(folder)/hugepages-\(kibibytes)kB"
      guard let total = TextFile.integer(size + "/nr_hugepages"), let free = TextFile.integer(size + "/free_hugepages") else {
        return nil
      }
      return Topology.HugePages(pageByteCount: kibibytes << 10, total: total, free: free)
    }
  }

  /// Assigns the CPUs of nodes without memory to the nearest node that has some.
  private func adopt(_ nodes: inout [Topology.Node]) {
    for index in nodes.indices where nodes[index].memory == 0 && !nodes[index].cores.isEmpty {
      let distances = nodes[index].distances
      let candidates = nodes.indices.filter { nodes[$0].memory > 0 && nodes[$0].isAllowed }
      guard let nearest = candidates.min(by: { distances[nodes[$0].id] ?? 255 < distances[nodes[$1].id] ?? 255 }) else { continue }
      nodes[nearest].cores += nodes[index].cores
      nodes[index].cores = []
    }
  }
}
