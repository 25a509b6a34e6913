// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The memory that a cgroup, such as a container's, leaves this process. The kernel kills processes that exceed it.
package struct MemoryLimit: Hashable, Sendable {
  /// The folder of the cgroup that sets the limit.
  package var path: String
  /// The limit in bytes.
  package var bound: Int
  /// The bytes below the limit that are not used.
  package var unused: Int
  /// The bytes of the cgroup's page cache that the kernel gives up on demand.
  package var reclaimable: Int

  /// The name of the file in that folder that holds the limit, such as `memory.max`.
  package var file: String { (path.hasPrefix(Version.one.mount) ? Version.one : Version.two).limit }

  /// The bytes that are still available.
  package var available: Int { available(keeping: 0) }

  /// Returns the bytes that are still available if `kept` bytes of page cache must stay.
  ///
  /// The cached pages may be charged to another cgroup; then there is more room than this.
  package func available(keeping kept: Int) -> Int { unused + max(0, reclaimable - kept) }

  /// Reads the tightest limit of this process's cgroup and all above it; nil if none sets one.
  package static func read(root: String = "") -> MemoryLimit? {
    var tightest: MemoryLimit?
    for (version, folder) in ControlGroups.folders(of: "memory", root: root) {
      guard let limit = Version.of(version).limit(folder, root: root) else { continue }
      if limit.available < tightest?.available ?? .max { tightest = limit }
    }
    return tightest
  }

  /// The names that a version of cgroups uses for the same facts.
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
      // "No limit" is the word "max", or in version 1 a number that no machine reaches.
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
