// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The cgroups of this process, such as a container's.
package enum ControlGroups {
  /// The two interfaces of the kernel.
  enum Version: Hashable { case one, two }

  /// Returns the folders of a controller's cgroups: this process's own cgroup, and all above it, whose limits apply too.
  ///
  /// The roots are always included, because in a container /proc may not name the cgroup, and its own cgroup looks like the root.
  static func folders(of controller: String, root: String) -> [(version: Version, path: String)] {
    var folders: [(Version, String)] = []
    func add(_ version: Version, _ mount: String, _ path: Substring) {
      let names = path.split(separator: "/").map(String.init)
      for count in 0...names.count {
        let folder = ([mount] + names[..<count]).joined(separator: "/")
        if !folders.contains(where: { $0.1 == folder }) { folders.append((version, folder)) }
      }
    }
    for line in (TextFile.read(root + "/proc/self/cgroup") ?? "").split(separator: "\n") {
      // The fields are the hierarchy, the controllers and the path. Version 2 has an empty list of controllers.
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if fields[1].isEmpty {
        add(.two, mount, fields[2])
      } else if fields[1].split(separator: ",").contains(where: { $0 == controller }) {
        add(.one, mount(controller), fields[2])
      }
    }
    add(.two, mount, "")
    add(.one, mount(controller), "")
    return folders
  }

  /// The roots of the hierarchies that limit memory and CPU time.
  package static var roots: [String] { [mount, mount("memory"), mount("cpu")] }

  /// The mount point of version 2.
  static let mount = "/sys/fs/cgroup"

  /// Returns the mount point of a controller of version 1, or of a link to it.
  static func mount(_ controller: String) -> String { "\(mount)/\(controller)" }
}
