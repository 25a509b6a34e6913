// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The memory that a cgroup, such as a container's, leaves this process. The kernel also kills processes that exceed it.
package struct MemoryLimit: Hashable, Sendable {
  /// The folder of the cgroup that sets it.
  package var path: String
  /// The limit in bytes.
  package var bound: Int
  /// Bytes below the limit that nobody uses.
  package var unused: Int
  /// Bytes of the cgroup's page cache that are given up when memory is asked for.
  package var reclaimable: Int

  /// The file there that holds the limit, such as `memory.max`.
  package var file: String { (path.hasPrefix(Version.one.mount) ? Version.one : Version.two).limit }

  /// Bytes that are still available.
  package var available: Int { available(keeping: 0) }

  /// Bytes that are still available if `kept` bytes of page cache must stay. Who brought them in is not known: the cgroup they count
  /// for may be another one, and then there is more room than this.
  package func available(keeping kept: Int) -> Int { unused + max(0, reclaimable - kept) }

  /// The tightest limit of this process's cgroup and all above it; nil if none sets one.
  package static func read(root: String = "") -> MemoryLimit? {
    var tightest: MemoryLimit?
    for (version, folder) in ControlGroups.folders(of: "memory", root: root) {
      guard let limit = Version.of(version).limit(folder, root: root) else { continue }
      if limit.available < tightest?.available ?? .max { tightest = limit }
    }
    return tightest
  }

  /// What the two versions of cgroups call the same things.
  private struct Version {
    let mount: String
    let limit: String
    let usage: String
    let given: [Substring]
    let kept: [Substring]

    static let one = Version(
      mount: ControlGroups.mount("memory"), limit: "memory.limit_in_bytes",
      usage: "memory.usage_in_bytes",
      given: ["total_active_file", "total_inactive_file"],
      kept: ["total_mapped_file", "total_dirty", "total_writeback"])
    static let two = Version(
      mount: ControlGroups.mount, limit: "memory.max", usage: "memory.current",
      given: ["active_file", "inactive_file"],
      kept: ["file_mapped", "file_dirty", "file_writeback"])

    static func of(_ version: ControlGroups.Version) -> Version { version == .one ? one : two }

    func limit(_ folder: String, root: String) -> MemoryLimit? {
      // No limit is the word "max", or in version 1 a number that no machine reaches.
      guard let bound = TextFile.integer("\(root)\(folder)/\(limit)"), bound < 1 << 60,
        let used = TextFile.integer("\(root)\(folder)/\(usage)")
      else { return nil }
      var counts: [Substring: Int] = [:]
      for line in (TextFile.read("\(root)\(folder)/memory.stat") ?? "").split(separator: "\n") {
        let words = line.split(separator: " ")
        if words.count == 2, let count = Int(words[1]) { counts[words[0]] = count }
      }
      func sum(_ names: [Substring]) -> Int { names.reduce(0) { $0 + (counts[$1] ?? 0) } }
      return MemoryLimit(
        path: folder, bound: bound, unused: max(0, bound - used), reclaimable: max(0, sum(given) - sum(kept)))
    }
  }
}
