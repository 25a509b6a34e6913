import CLinux
import Glibc
import PackFormat

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
    var findings = [nodes, offline, balancing, transparentHugePages, hugePagePools, memoryLock, policies, governor].compactMap {
      $0
    }
    if let pack { findings += examine(pack, teams) }
    return findings
  }

  private func good(_ text: String) -> Finding { Finding(isProblem: false, text: text, remedy: nil) }
  private func bad(_ text: String, _ remedy: String? = nil) -> Finding { Finding(isProblem: true, text: text, remedy: remedy) }

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
        "\(text); the cpuset hides node \(NumberList.format(hidden))", "systemctl set-property --runtime SLICE AllowedMemoryNodes=")
    }
    return good(text)
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
    var findings: [Finding] = [filesystem(pack)]
    let isSharded = pack.manifest.placement == .shard
    do throws(RuntimeError) {
      let nodeCount = isSharded ? pack.manifest.nodeCount : nil
      let teams = if let teams { teams } else { try TeamPlan(topology, nodeCount: nodeCount) }
      let plan = try ReplicaPlan(pack.manifest, teams: teams, nodeMap: nil)
      findings += plan.notes.map { bad($0) }
      var needed: [Int: Int] = [:]
      for replica in plan.replicas { needed[replica.node, default: 0] += replica.byteCount }
      findings.append(room(needed))
      if topology.nodes.count > 1 { findings += plan.replicas.compactMap { cached($0, pack) } }
    } catch {
      findings.append(bad(error.description))
    }
    return findings
  }

  private func room(_ needed: [Int: Int]) -> Finding {
    do throws(RuntimeError) {
      try FreeMemory(topology).check(needed)
      let list = needed.sorted { $0.key < $1.key }.map { "\(ByteCount($0.value)) on node \($0.key)" }.joined(separator: ", ")
      return good("there is room for this pack: \(list)")
    } catch {
      return bad(error.description)
    }
  }

  private func filesystem(_ pack: Pack) -> Finding {
    let mapper = pack.manifest.blobs.indices.first { pack.manifest.blobs[$0].byteCount >= MappedBlob.hugePage }
    guard let blob = mapper, let huge = isMappedHuge(pack.blobPath(blob)) else {
      return good("the pack is too small for huge pages")
    }
    return huge
      ? good("the pack's filesystem maps files in huge pages")
      : bad(
        "the pack's files are mapped in small pages: they are cached so, or the filesystem has no others (XFS has); weights are copied instead",
        "for f in \(pack.path)/*.blob; do dd if=$f iflag=nocache count=0; done")
  }

  /// Whether the first huge page of a file is mapped as one; nil if it cannot be mapped.
  private func isMappedHuge(_ path: String) -> Bool? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { return nil }
    defer { close(file) }
    guard let reservation = try? AddressReservation(byteCount: MappedBlob.hugePage, alignment: MappedBlob.hugePage) else {
      return nil
    }
    let range = reservation.bytes(0..<MappedBlob.hugePage)
    guard kernel.map(range, protection: PROT_READ, flags: MAP_SHARED, file: file) == 0 else { return nil }
    _ = kernel.advise(range, CL_MADV_HUGEPAGE)
    guard kernel.advise(range, CL_MADV_POPULATE_READ) == 0 else { return nil }
    return MemoryMap.read(range).hugeByteCount == range.count
  }

  /// A line if part of a blob's file is cached on a wrong node.
  private func cached(_ replica: Replica, _ pack: Pack) -> Finding? {
    let path = pack.blobPath(replica.blob)
    guard let census = PageCache.nodes(path, kernel: kernel) else { return nil }
    let wrong = census.pages(notOn: replica.node)
    guard wrong > 0 else { return nil }
    return bad(
      "\(path): \(ByteCount(wrong * 4096)) of it are cached on other nodes than \(replica.node); --memory file repairs that at the start",
      "packrun placement \(pack.path) --memory file")
  }
}
