// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackRuntime

extension CPUQuota {
  /// Returns the fix that raises the quota to `cpus` CPUs.
  func raise(to cpus: Int) -> Fix {
    let folder = path.split(separator: "/").dropLast().map(String.init)
    return raiseLimit(
      of: "/" + folder.joined(separator: "/"), property: "CPUQuota", "\(cpus * 100)%", container: "--cpus \(cpus)",
      path.hasSuffix("cpu.max") ? "max 100000" : "-1", file: path, "the cgroup may use \(cpus) CPUs")
  }
}

extension MemoryLimit {
  /// Returns the fix that raises the limit to `byteCount` bytes.
  func raise(to byteCount: Int) -> Fix {
    raiseLimit(
      of: path, property: "MemoryMax", "\(byteCount)", container: "--memory \(byteCount) --memory-swap -1", "\(byteCount)",
      file: "\(path)/\(file)", "the cgroup may use \(ByteCount(byteCount)) of memory")
  }
}

/// Returns the fix that raises a limit of the cgroup at `path`: of a systemd unit, of a container, or by writing `value` to `file`.
private func raiseLimit(
  of path: String, property: String, _ setting: String, container: String, _ value: String, file: String, _ change: String
) -> Fix {
  let name = path.split(separator: "/").last ?? ""
  if [".service", ".scope", ".slice"].contains(where: name.hasSuffix) { return .unit(String(name), property, setting, change) }
  // In a container, its own cgroup looks like the root.
  if ControlGroups.roots.contains(path) {
    return Fix(
      "docker update \(container) CONTAINER", "\(change), as long as the container exists",
      undo: "docker update with the old value")
  }
  return Fix(
    "echo \(value) | sudo tee \(file)", "\(change), as long as the cgroup exists", undo: "write the old value to the same file")
}

extension Fix {
  /// Returns a fix that sets a property of a systemd unit, until the next boot or permanently.
  static func unit(_ unit: String, _ property: String, _ value: String, _ change: String) -> Fix {
    Fix(
      "sudo systemctl set-property --runtime \(unit) \(property)=\(value)", "\(change), until the next boot",
      undo: "sudo systemctl revert \(unit)",
      lasting: .init(
        command: "sudo systemctl set-property \(unit) \(property)=\(value)", undo: "sudo systemctl revert \(unit)"))
  }
}
