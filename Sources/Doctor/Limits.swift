// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

extension CPUQuota {
  /// The command that raises the quota to `cpus` CPUs.
  func raise(to cpus: Int) -> String {
    let folder = path.split(separator: "/").dropLast().map(String.init)
    return raiseLimit(
      of: "/" + folder.joined(separator: "/"), property: "CPUQuota=\(cpus * 100)%", container: "--cpus \(cpus)",
      path.hasSuffix("cpu.max") ? "max 100000" : "-1", file: path)
  }
}

extension MemoryLimit {
  /// The command that raises the limit to `byteCount`.
  func raise(to byteCount: Int) -> String {
    raiseLimit(
      of: path, property: "MemoryMax=\(byteCount)", container: "--memory \(byteCount) --memory-swap -1", "\(byteCount)",
      file: "\(path)/\(file)")
  }
}

/// The command that raises a limit of the cgroup at `path`: of a systemd unit, of a container, or by writing `value` to `file`.
private func raiseLimit(of path: String, property: String, container: String, _ value: String, file: String) -> String {
  let name = path.split(separator: "/").last ?? ""
  if [".service", ".scope", ".slice"].contains(where: name.hasSuffix) {
    return "sudo systemctl set-property --runtime \(name) \(property)"
  }
  // In a container its own cgroup looks like the root.
  if ControlGroups.roots.contains(path) { return "docker update \(container) CONTAINER" }
  return "echo \(value) | sudo tee \(file)"
}
