// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import PackFormat
import PackRuntime
import SystemPackage

/// What on this machine costs speed, and what mends it.
public struct Doctor {
  /// Something found.
  public struct Finding: Sendable, Hashable {
    /// Whether it should be mended; else it is as it should be.
    public var isProblem: Bool
    /// What was found.
    public var text: String
    /// The command that mends it; nil if there is none.
    public var remedy: String?
  }

  private let root: String
  private let kernel: Kernel
  private let topology: Topology

  /// A look at this machine.
  public init() { self.init(root: "", affinity: nil, kernel: Kernel()) }

  init(root: String, affinity: [Int]?, kernel: Kernel) {
    self.root = root
    self.kernel = kernel
    topology = Topology.read(root: root, affinity: affinity)
  }

  /// Everything that was looked at, the machine first, then what concerns the pack.
  public func examine(_ pack: Pack? = nil, teams: TeamPlan? = nil) -> [Finding] {
    var findings = [nodes] + unreachableNodes
    findings += [offline, balancing, transparentHugePages, defragmentation, hugePagePools, limit, memoryLock, policies, governor]
      .compactMap { $0 }
    if let pack { findings += examine(pack, teams) }
    return findings
  }

  private func good(_ text: String, _ remedy: String? = nil) -> Finding { Finding(isProblem: false, text: text, remedy: remedy) }
  private func bad(_ text: String, _ remedy: String) -> Finding { Finding(isProblem: true, text: text, remedy: remedy) }

  // MARK: The machine

  private var nodes: Finding {
    guard topology.hasNodeFolder else {
      return bad(
        "the kernel shows no NUMA nodes under /sys/devices/system/node: nothing can be bound", "docker run -v /sys:/sys:ro …")
    }
    let list = topology.usableNodes.map { node in
      "node \(node.id): CPUs \(NumberList.format(node.cpus)), \(ByteCount(node.memory)), \(ByteCount(FreeMemory.available(node))) to be had"
    }
    let hidden = topology.nodes.filter { !$0.isAllowed }.map(\.id)
    let text = list.joined(separator: "; ")
    guard hidden.isEmpty else {
      return bad(
        "\(text); the cpuset hides the memory of node \(NumberList.format(hidden))",
        "sudo systemctl set-property --runtime UNIT AllowedMemoryNodes=\(NumberList.format(topology.nodes.map(\.id)))")
    }
    return good(text)
  }

  /// Nodes whose memory could be used, but none of whose CPUs.
  private var unreachableNodes: [Finding] {
    topology.nodes.filter { $0.memory > 0 && $0.isAllowed && $0.cores.isEmpty }.compactMap { node in
      let list = TextFile.read("\(root)/sys/devices/system/node/node\(node.id)/cpulist") ?? ""
      // A node without any, such as memory on an expansion card, is not read by threads of its own.
      guard !list.isEmpty else { return nil }
      return bad(
        "this process may not use the CPUs \(list) of node \(node.id), so its memory is left: taskset or a cpuset forbids it",
        "taskset -c \(TextFile.read("\(root)/sys/devices/system/cpu/online") ?? list) packrun …")
    }
  }

  private var offline: Finding? {
    guard !topology.offlineCPUs.isEmpty else { return nil }
    return bad(
      "CPUs \(NumberList.format(topology.offlineCPUs)) are switched off",
      "for c in \(topology.offlineCPUs.map(String.init).joined(separator: " ")); do echo 1 | sudo tee /sys/devices/system/cpu/cpu$c/online; done"
    )
  }

  private var balancing: Finding? {
    guard let value = TextFile.integer(root + "/proc/sys/kernel/numa_balancing") else { return nil }
    return value == 0
      ? good("automatic NUMA balancing is off")
      : bad(
        "automatic NUMA balancing is on: it unmaps pages now and then to see who reads them", "sudo sysctl kernel.numa_balancing=0")
  }

  private var transparentHugePages: Finding {
    switch HugePageMode.read(root: root) {
    case .always, .madvise: good("transparent huge pages can be had where they are asked for")
    case .never:
      bad(
        "transparent huge pages are off: weights are put into huge pages afterwards, the KV cache stays in small ones",
        "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled")
    }
  }

  private var defragmentation: Finding? {
    let text = TextFile.read(root + "/sys/kernel/mm/transparent_hugepage/defrag") ?? ""
    guard text.contains("[never]") else { return nil }
    return bad(
      "the kernel makes no room for huge pages (defrag is never): what is fragmented stays in small ones",
      "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/defrag")
  }

  private var limit: Finding? {
    MemoryLimit.read(root: root).map { good("the cgroup \($0.path) leaves \(ByteCount($0.available)) to be had") }
  }

  private var hugePagePools: Finding {
    let pools = topology.nodes.flatMap { node in
      node.hugePages.filter { $0.total > 0 }.map {
        "node \(node.id): \($0.free) of \($0.total) pages of \(ByteCount($0.pageByteCount)) free"
      }
    }
    return good(
      pools.isEmpty
        ? "no huge pages are reserved (--memory hugetlb cannot be used)" : "reserved huge pages: \(pools.joined(separator: "; "))")
  }

  private var memoryLock: Finding {
    let limit = cl_lock_limit()
    return good("locked memory: \(limit < 0 ? "unlimited" : "up to \(ByteCount(Int(limit)))") (nothing here needs it)")
  }

  private var policies: Finding {
    let error = kernel.setPolicy(.standard)
    return error == 0
      ? good("memory can be bound to nodes")
      : bad("the kernel refuses memory policies (\(Kernel.text(error)))", "docker run --cap-add SYS_NICE …")
  }

  private var governor: Finding? {
    guard let name = TextFile.read(root + "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") else { return nil }
    return name == "performance"
      ? good("the frequency governor is performance")
      : bad("the frequency governor is \(name)", "sudo cpupower frequency-set -g performance")
  }

  // MARK: The pack

  private func examine(_ pack: Pack, _ teams: TeamPlan?) -> [Finding] {
    var findings: [Finding] = []
    let isSharded = pack.manifest.placement == .shard
    do throws(RuntimeError) {
      let nodeCount = isSharded ? pack.manifest.nodeCount : nil
      let teams = if let teams { teams } else { try TeamPlan(topology, nodeCount: nodeCount) }
      let plan = try ReplicaPlan(pack.manifest, teams: teams, nodeMap: nil)
      findings += self.nodeCount(pack, teams, plan.notes)
      switch PinnedReplicas(pack, root: root).find(plan.replicas) {
      case .found(let paths):
        let folder = FilePath(paths.first ?? "").removingLastComponent()
        return findings + [good("the pack's replicas are pinned in \(folder): nothing is read or copied at the start")]
      case .unusable(let path, let problem):
        findings.append(bad("\(path): \(problem), so it is not used", "packrun pin \(pack.path)"))
      case .none: break
      }
      findings.append(filesystem(pack))
      var needed: [Int: Int] = [:]
      let unit = MappedBlob.hugePage
      for replica in plan.replicas { needed[replica.node, default: 0] += (replica.byteCount + unit - 1) / unit * unit }
      findings += [room(needed, pack), hugePages(needed)]
      if topology.nodes.count > 1 { findings += plan.replicas.compactMap { cached($0, pack) } }
    } catch {
      let online = TextFile.read(root + "/sys/devices/system/cpu/online") ?? "0"
      findings += [filesystem(pack), bad(error.description, "taskset -c \(online) packrun \(pack.path)")]
    }
    return findings
  }

  /// What is said of a pack for another number of nodes: nodes left idle cost speed, several parts on one node do not.
  private func nodeCount(_ pack: Pack, _ teams: TeamPlan, _ notes: [String]) -> [Finding] {
    guard let idle = ReplicaPlan.idleNodes(pack.manifest, teams, topology) else { return notes.map { good($0) } }
    let remedy =
      "ggufpack restore \(pack.path) -o model.gguf && ggufpack convert model.gguf -o \(pack.path) --force --nodes \(topology.usableNodes.count)"
    return [bad(idle, remedy)] + notes.map { good($0) }
  }

  private func room(_ needed: [Int: Int], _ pack: Pack) -> Finding {
    let limit = MemoryLimit.read(root: root)
    do throws(RuntimeError) {
      try FreeMemory(topology, limit: limit).check(needed)
      let list = needed.sorted { $0.key < $1.key }.map { "\(ByteCount($0.value)) on node \($0.key)" }.joined(separator: ", ")
      return good("there is room for this pack: \(list)")
    } catch {
      // What other nodes have free does not help against a limit.
      if case .memoryLimit(_, let needed, let free) = error, let limit {
        return bad(error.description, limit.raise(to: limit.bound + needed - free))
      }
      let isPinned = PinnedReplicas.places(root: root).contains { !PinnedReplicas.entries(PinnedReplicas.userFolder($0)).isEmpty }
      return bad(error.description, isPinned ? "packrun unpin --all" : "packrun \(pack.path) --spill")
    }
  }

  /// What `--memory hugetlb` would take.
  private func hugePages(_ needed: [Int: Int]) -> Finding {
    let unit = MappedBlob.hugePage
    let lacking = needed.sorted { $0.key < $1.key }.compactMap { id, bytes -> String? in
      let pool = topology.node(id)?.hugePages.first { $0.pageByteCount == unit }
      let missing = bytes / unit - (pool?.free ?? 0)
      guard missing > 0 else { return nil }
      return
        "echo \((pool?.total ?? 0) + missing) | sudo tee /sys/devices/system/node/node\(id)/hugepages/hugepages-2048kB/nr_hugepages"
    }
    return lacking.isEmpty
      ? good("the reserved huge pages hold this pack")
      : good("to have this pack in reserved huge pages (optional):", lacking.joined(separator: "; "))
  }

  private func filesystem(_ pack: Pack) -> Finding {
    let blobs = pack.manifest.blobs
    guard !blobs.contains(where: { $0.storage != nil }) else {
      return good("the pack is compressed: it is unpacked into memory at each start, and its files are not mapped")
    }
    let mapper = blobs.indices.first { blobs[$0].byteCount >= MappedBlob.hugePage }
    guard let blob = mapper, let mapping = firstMapping(pack.blobPath(blob)) else {
      return good("the pack is too small for huge pages")
    }
    switch mapping {
    case .huge: return good("the pack's filesystem maps files in huge pages")
    case .cachedSmall:
      return bad(
        "the pack's files are cached in small pages, and are mapped so: weights are copied instead",
        "for f in \(pack.path)/*.blob; do dd if=$f iflag=nocache count=0; done")
    case .small:
      return bad(
        "the pack's filesystem maps files in small pages only (XFS has huge ones): weights are copied at each start",
        "packrun pin \(pack.path)")
    case .unknownSmall:
      return bad(
        "the pack's files are mapped in small pages, so weights are copied at each start; whether only because they are cached so, the kernel does not tell whoever may not write them",
        "sudo packrun doctor \(pack.path)")
    }
  }

  private enum FileMapping { case huge, cachedSmall, small, unknownSmall }

  /// How the first huge page of a file is mapped; nil if it cannot be.
  private func firstMapping(_ path: String) -> FileMapping? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { return nil }
    defer { close(file) }
    guard let reservation = try? AddressReservation(byteCount: MappedBlob.hugePage, alignment: MappedBlob.hugePage) else {
      return nil
    }
    let range = reservation.range
    guard unsafe kernel.map(range, protection: PROT_READ, flags: MAP_SHARED, file: file) == 0 else { return nil }
    guard PageCache.maySeeCache(path) else { return populatesHuge(range) ? .huge : .unknownSmall }
    let wasCached = kernel.residency(of: range)?.contains(true) ?? true
    if populatesHuge(range) { return .huge }
    if wasCached { return .cachedSmall }
    // What was looked at must not stand in the way of the next look.
    reservation.clear()
    posix_fadvise(file, 0, off_t(MappedBlob.hugePage), POSIX_FADV_DONTNEED)
    return .small
  }

  private func populatesHuge(_ range: AddressRange) -> Bool {
    _ = kernel.advise(range, CL_MADV_HUGEPAGE)
    return kernel.advise(range, CL_MADV_POPULATE_READ) == 0 && MemoryMap.read(range).hugeByteCount == range.count
  }

  /// A line if part of a blob's file is cached on a wrong node, or if that cannot be seen.
  private func cached(_ replica: Replica, _ pack: Pack) -> Finding? {
    let path = pack.blobPath(replica.blob)
    guard PageCache.maySeeCache(path) else {
      return good(
        "\(path): the kernel does not tell whoever may not write it which nodes it is cached on",
        "sudo packrun doctor \(pack.path)")
    }
    guard let census = PageCache.nodes(path, kernel: kernel) else { return nil }
    let wrong = census.pages(notOn: replica.node)
    guard wrong > 0 else { return nil }
    return bad(
      "\(path): \(ByteCount(wrong * 4096)) of it are cached on other nodes than \(replica.node); --memory file repairs that at the start",
      "packrun placement \(pack.path) --memory file")
  }
}
