// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation

/// Runs lines of bash, with the programs as $G and $P and a folder as $W.
struct Shell {
  let folder: TemporaryFolder

  /// Runs a line. Programs that bash starts also know the three names.
  func run(_ script: String) throws -> Program.Result {
    let names = "export G='\(try Program.ggufpack.path)' P='\(try Program.packrun.path)' W='\(folder.path)'; ulimit -c 0; "
    return try Program.run("/bin/bash", ["-c", names + script])
  }

  /// Runs a line with a filesystem of its own at /mnt, which is removed afterwards.
  ///
  /// - Parameter filesystem: The arguments for mount, such as `-t tmpfs none`.
  func run(with filesystem: String, _ script: String) throws -> Program.Result {
    try run("unshare -m bash -c 'mount \(filesystem) /mnt || exit 99; \(script)'")
  }

  /// Whether this process may mount filesystems for itself, and act as another user.
  static let mayMount: Bool = {
    let tried = try? Program.run("/usr/bin/unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"])
    return tried?.exitCode == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")
  }()

  /// The command prefix for running as a user who owns nothing here.
  static let asOther = "setpriv --reuid 64003 --regid 64003 --clear-groups"
}

extension String {
  /// Whether the text is a single line with its line end.
  var isOneLine: Bool { hasSuffix("\n") && dropLast().allSatisfy { !$0.isNewline } }
}
