// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat
import PackRuntime
import SystemPackage

/// The findings about one pack on this machine.
extension Doctor {
  func examine(_ pack: Pack, _ teams: TeamPlan?) -> [Finding] {
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
        findings.append(bad("\(path): \(problem), so it is not used", pin(pack)))
      case .none: break
      }
      findings.append(filesystem(pack, plan))
      let needed = plan.bytesByNode
      findings += [room(needed, pack), hugePages(needed)]
      if topology.nodes.count > 1 { findings += plan.replicas.compactMap { cached($0, pack) } }
    } catch {
      let online = TextFile.read(root + "/sys/devices/system/cpu/online") ?? "0"
      findings += [bad(error.problem, .run("taskset -c \(online) packrun \(pack.path.shellWord)"))]
    }
    return findings
  }

  /// Returns the findings for a pack made for another number of nodes. Idle nodes cost speed; several parts on one node do not.
  private func nodeCount(_ pack: Pack, _ teams: TeamPlan, _ notes: [Note]) -> [Finding] {
    guard let idle = ReplicaPlan.idleNodes(pack.manifest, teams, topology) else { return notes.map { good($0.description) } }
    let count = topology.usableNodes.count
    let size = pack.manifest.blobs.reduce(0) { $0 + $1.storedByteCount }
    let fix = Fix(
      "ggufpack repack \(pack.path.shellWord) -o \(pack.path.shellWord) --force --nodes \(count)",
      "the pack is rewritten for \(count) nodes and replaced; until that is done, it takes \(ByteCount(size)) more on its disk",
      undo: "the same with --nodes \(pack.manifest.nodeCount)")
    return [bad(idle.problem, fix)] + notes.map { good($0.description) }
  }

  private func pin(_ pack: Pack) -> Fix {
    let size = pack.manifest.blobs.reduce(0) { $0 + $1.byteCount }
    return Fix(
      "packrun pin \(pack.path.shellWord)", "\(ByteCount(size)) of memory hold the weights until the next boot",
      undo: "packrun unpin, with the same name")
  }

  private func seeing(_ pack: Pack) -> Fix {
    Fix("sudo packrun doctor \(pack.path.shellWord)", "nothing: it only looks")
  }

  private func room(_ needed: [Int: Int], _ pack: Pack) -> Finding {
    let limit = MemoryLimit.read(root: root)
    do throws(RuntimeError) {
      try FreeMemory(topology, limit: limit).check(needed)
      let list = needed.sorted { $0.key < $1.key }.map { "\(ByteCount($0.value)) on node \($0.key)" }.joined(separator: ", ")
      return good("there is room for this pack: \(list)")
    } catch {
      // Free memory on other nodes does not help against a limit of the cgroup.
      if case .memoryLimit(_, let needed, let free, _) = error, let limit {
        return bad(error.problem, limit.raise(to: limit.bound + needed - free))
      }
      let isPinned = PinnedReplicas.places(root: root).contains { !PinnedReplicas.entries($0).isEmpty }
      let spilling = error.remedies.contains(.spill) ? Fix.run("packrun \(pack.path.shellWord) --spill") : nil
      let unpinning = Fix(
        "packrun unpin --all", "the memory of all packs that you have pinned is freed, and they start from the disk again",
        undo: "packrun pin, with the name of each")
      return Finding(isProblem: true, text: error.problem, fix: isPinned ? unpinning : spilling)
    }
  }

  /// Returns what `--memory hugetlb` would need.
  private func hugePages(_ needed: [Int: Int]) -> Finding {
    let unit = MappedBlob.hugePage
    var (now, undo, boot): ([String], [String], [String]) = ([], [], [])
    for (id, bytes) in needed.sorted(by: { $0.key < $1.key }) {
      let pool = topology.node(id)?.hugePages.first { $0.pageByteCount == unit }
      let (missing, total) = (bytes / unit - (pool?.free ?? 0), pool?.total ?? 0)
      guard missing > 0 else { continue }
      let file = "/sys/devices/system/node/node\(id)/hugepages/hugepages-2048kB/nr_hugepages"
      now.append("echo \(total + missing) | sudo tee \(file)")
      undo.append("echo \(total) | sudo tee \(file)")
      boot.append("w \(file) - - - - \(total + missing)")
    }
    guard !now.isEmpty else { return good("the reserved huge pages hold this pack") }
    return good(
      "to keep this pack in reserved huge pages (optional):",
      Fix(
        now.joined(separator: "; "), "this memory is kept for huge pages, and nothing else can use it, until the next boot",
        undo: undo.joined(separator: "; "), lasting: .atBoot(boot, "reserved-pages")))
  }

  private func filesystem(_ pack: Pack, _ plan: ReplicaPlan) -> Finding {
    let blobs = pack.manifest.blobs
    guard !blobs.contains(where: { $0.storage != nil }) else {
      return good("the pack is compressed: it is unpacked into memory at each start, and its files are not mapped")
    }
    if plan.sharesFiles { return good("the mirror has one file for all nodes: weights are copied at each start") }
    guard let probe = try? FileProbe(kernel) else {
      return bad(
        "too few addresses to map the pack",
        Fix("ulimit -v unlimited", "this shell's programs may map as much as they like", undo: "leave this shell"))
    }
    let mappings = plan.replicas.filter { $0.byteCount >= MappedBlob.hugePage }.compactMap {
      probe.mapping(of: pack.blobPath($0.blob), byteCount: $0.byteCount, node: $0.node)
    }
    guard let mapping = mappings.max() else { return good("the pack is too small for huge pages") }
    switch mapping {
    case .huge: return good("the pack's filesystem maps files in huge pages")
    case .cachedSmall:
      return bad(
        "the pack's files are cached in small pages, so weights are copied at each start until the files are dropped from the cache",
        Fix(
          "for f in \(pack.path.shellWord)/*.blob; do dd if=\"$f\" iflag=nocache count=0; done",
          "the page cache gives up these files; the next start reads them from the disk"))
    case .small:
      return bad(
        "the pack's filesystem maps files in small pages only (XFS has huge ones): weights are copied at each start",
        pin(pack))
    case .unknownSmall:
      return bad(
        "the pack's files are mapped in small pages, so weights are copied at each start; only a user who may write the files can learn from the kernel whether they are cached that way",
        seeing(pack))
    }
  }

  /// Returns a finding if part of a blob's file is cached on a wrong node, or if this cannot be determined.
  private func cached(_ replica: Replica, _ pack: Pack) -> Finding? {
    let path = pack.blobPath(replica.blob)
    guard PageCache.maySeeCache(path) else {
      return good(
        "\(path): only a user who may write it can learn from the kernel which nodes it is cached on",
        seeing(pack))
    }
    guard let census = PageCache.nodes(path, kernel: kernel) else { return nil }
    let wrong = census.pages(notOn: replica.node)
    guard wrong > 0 else { return nil }
    return bad(
      "\(path): \(ByteCount(wrong * 4096)) of it is cached on other nodes than \(replica.node); --memory file repairs that at the start",
      Fix(
        "packrun placement \(pack.path.shellWord) --memory file",
        "the page cache holds each file on its own node, until it is given up"))
  }
}
