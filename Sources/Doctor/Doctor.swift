// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Files
import PackFormat
import PackRuntime

/// An examination of what costs speed on this machine and how to fix it.
public struct Doctor {
  /// One finding of the examination.
  public struct Finding: Sendable, Hashable {
    /// Whether it should be fixed; otherwise everything is in order.
    public var isProblem: Bool
    /// What was found.
    public var text: String
    /// The way to fix it; nil if there is nothing to do or no command does it.
    public var fix: Fix?

    /// The command that fixes it.
    public var remedy: String? { fix?.command }
  }

  let root: String
  let kernel: Kernel
  let topology: Topology

  /// An examination of this machine.
  public init() { self.init(root: "", affinity: nil, kernel: Kernel()) }

  init(root: String, affinity: [Int]?, kernel: Kernel) {
    self.root = root
    self.kernel = kernel
    topology = Topology.read(root: root, affinity: affinity)
  }

  /// Examines everything and returns the findings: first about the machine, then about the pack.
  public func examine(_ pack: Pack? = nil, teams: TeamPlan? = nil) -> [Finding] {
    var findings = [nodes] + unreachableNodes
    findings += [
      quota, offline, balancing, transparentHugePages, defragmentation, hugePagePools, limit, memoryLock, policies, governor,
    ]
    .compactMap { $0 }
    if let pack { findings += examine(pack, teams) }
    return findings
  }

  func good(_ text: String, _ fix: Fix? = nil) -> Finding { Finding(isProblem: false, text: text, fix: fix) }
  func bad(_ text: String, _ fix: Fix) -> Finding { Finding(isProblem: true, text: text, fix: fix) }

  /// Returns a fix that consists of an option for starting a container.
  private static func container(_ command: String, _ change: String) -> Fix {
    Fix(command, "\(change), in a container that is started this way", undo: "start it without the option")
  }

  // MARK: The machine

  private var nodes: Finding {
    guard topology.hasNodeFolder else {
      return bad(
        "the kernel shows no NUMA nodes under /sys/devices/system/node, so no memory can be bound",
        Self.container("docker run -v /sys:/sys:ro …", "the machine's nodes can be seen"))
    }
    let list = topology.usableNodes.map { node in
      "node \(node.id): CPUs \(NumberList.format(node.cpus)), \(ByteCount(node.memory)), \(ByteCount(FreeMemory.available(node))) available"
    }
    let hidden = topology.nodes.filter { !$0.isAllowed }.map(\.id)
    let text = list.joined(separator: "; ")
    guard hidden.isEmpty else {
      return bad(
        "\(text); the cpuset hides the memory of node \(NumberList.format(hidden))",
        .unit("UNIT", "AllowedMemoryNodes", NumberList.format(topology.nodes.map(\.id)), "the unit may use the memory of all nodes")
      )
    }
    return good(text)
  }

  /// Nodes whose memory this process may use, but none of whose CPUs.
  private var unreachableNodes: [Finding] {
    topology.nodes.filter { $0.memory > 0 && $0.isAllowed && $0.cores.isEmpty }.compactMap { node in
      let list = TextFile.read("\(root)/sys/devices/system/node/node\(node.id)/cpulist") ?? ""
      // A node without CPUs, such as memory on an expansion card, gets no threads anyway.
      guard !list.isEmpty else { return nil }
      return bad(
        "taskset or a cpuset keeps this process off the CPUs \(list) of node \(node.id), so that node's memory is not used",
        .run("taskset -c \(TextFile.read("\(root)/sys/devices/system/cpu/online") ?? list) packrun …"))
    }
  }

  private var quota: Finding? {
    guard let quota = topology.cpuQuota else { return nil }
    let cores = topology.usableNodes.reduce(0) { $0 + $1.cores.count }
    let text = "the cgroup's CPU quota (\(quota.path)) allows the time of \(quota)"
    guard quota.threadCount < cores else { return good(text) }
    return bad(
      "\(text), of \(cores) cores: packrun starts \(Count(quota.threadCount, "thread"))",
      quota.raise(to: cores))
  }

  private var offline: Finding? {
    guard !topology.offlineCPUs.isEmpty else { return nil }
    // With SMT switched off, each core has one CPU left, and a team needs only that one.
    if let control = TextFile.read(root + "/sys/devices/system/cpu/smt/control"), ["off", "forceoff"].contains(control) {
      return good("SMT is switched off: CPUs \(NumberList.format(topology.offlineCPUs)) are off, and each core has one CPU left")
    }
    func switching(_ value: Int) -> String {
      "for c in \(topology.offlineCPUs.map(String.init).joined(separator: " ")); do echo \(value) | sudo tee /sys/devices/system/cpu/cpu$c/online; done"
    }
    return bad(
      "CPUs \(NumberList.format(topology.offlineCPUs)) are switched off",
      Fix(
        switching(1), "these CPUs are used, until the next boot", undo: switching(0),
        lasting: .atBoot(topology.offlineCPUs.map { "w /sys/devices/system/cpu/cpu\($0)/online - - - - 1" }, "cpus")))
  }

  private var balancing: Finding? {
    guard let value = TextFile.integer(root + "/proc/sys/kernel/numa_balancing") else { return nil }
    return value == 0
      ? good("automatic NUMA balancing is off")
      : bad(
        "automatic NUMA balancing is on: it unmaps pages now and then to see which node reads them",
        Fix(
          "sudo sysctl kernel.numa_balancing=0",
          "the kernel moves no program's pages between nodes, until the next boot",
          undo: "sudo sysctl kernel.numa_balancing=\(value)",
          lasting: .init(
            command: "echo kernel.numa_balancing=0 | sudo tee /etc/sysctl.d/90-packrun.conf",
            undo: "sudo rm /etc/sysctl.d/90-packrun.conf")))
  }

  private var transparentHugePages: Finding {
    switch HugePageMode.read(root: root) {
    case .always, .madvise: good("transparent huge pages are available on request")
    case .never:
      bad(
        "transparent huge pages are off: weights are moved into huge pages afterwards, and the KV cache stays in small ones",
        .kernel(
          "/sys/kernel/mm/transparent_hugepage/enabled", "madvise", insteadOf: "never", "huge-pages",
          "programs that ask for huge pages get them"))
    }
  }

  private var defragmentation: Finding? {
    let text = TextFile.read(root + "/sys/kernel/mm/transparent_hugepage/defrag") ?? ""
    guard text.contains("[never]") else { return nil }
    return bad(
      "the kernel makes no room for huge pages (defrag is never): where memory is fragmented, pages stay small",
      .kernel(
        "/sys/kernel/mm/transparent_hugepage/defrag", "madvise", insteadOf: "never", "defrag",
        "programs that ask for huge pages wait until there is room for them"))
  }

  private var limit: Finding? {
    MemoryLimit.read(root: root).map { good("the cgroup \($0.path) leaves \(ByteCount($0.available))") }
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
      : bad(
        "the kernel refuses memory policies (\(Kernel.text(error)))",
        Self.container("docker run --cap-add SYS_NICE …", "memory can be bound to nodes"))
  }

  private var governor: Finding? {
    var cpus: [String: [Int]] = [:]
    for cpu in topology.usableNodes.flatMap(\.cpus) {
      if let name = TextFile.read("\(root)/sys/devices/system/cpu/cpu\(cpu)/cpufreq/scaling_governor") {
        cpus[name, default: []].append(cpu)
      }
    }
    guard !cpus.isEmpty else { return nil }
    cpus["performance"] = nil
    guard !cpus.isEmpty else { return good("the frequency governor is performance on all CPUs") }
    let list = cpus.sorted { $0.key < $1.key }.map { "\($0.key) on CPU \(NumberList.format($0.value.sorted()))" }
    let undo = cpus.sorted { $0.key < $1.key }.map { name, list in
      "sudo cpupower \(cpus.count == 1 ? "" : "-c \(NumberList.format(list.sorted())) ")frequency-set -g \(name)"
    }
    return bad(
      "the frequency governor is \(list.joined(separator: ", "))",
      Fix(
        "sudo cpupower frequency-set -g performance", "the CPUs keep their highest clock and draw more power, until the next boot",
        undo: undo.joined(separator: "; "),
        lasting: .atBoot(["w /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor - - - - performance"], "governor")))
  }
}
