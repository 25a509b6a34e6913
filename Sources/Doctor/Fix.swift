// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A way to fix something that costs speed.
public struct Fix: Sendable, Hashable {
  /// The command that fixes it now. Settings of the kernel last until the next boot.
  public var command: String
  /// What the command changes, and for how long.
  public var change: String
  /// How to undo it, as a command if there is one; nil if nothing lasts.
  public var undo: String?
  /// The commands that make the setting permanent; nil if nothing has to be repeated at boot.
  public var lasting: Lasting?

  /// A command that makes a setting permanent, and the one that undoes it.
  public struct Lasting: Sendable, Hashable {
    /// The command.
    public var command: String
    /// The command that removes the setting, with effect from the next boot.
    public var undo: String
  }

  init(_ command: String, _ change: String, undo: String? = nil, lasting: Lasting? = nil) {
    self.command = command
    self.change = change
    self.undo = undo
    self.lasting = lasting
  }

  /// Returns a command that changes nothing on the machine.
  static func run(_ command: String) -> Fix { Fix(command, "nothing but this run") }

  /// Returns a fix that writes `value` to a file of the kernel, now and at every boot.
  ///
  /// - Parameters:
  ///   - old: The current value; nil if it is unknown.
  ///   - name: Distinguishes the configuration file of the lasting setting.
  ///   - command: The command that writes it now, if the usual one does not suit.
  static func kernel(
    _ file: String, _ value: String, insteadOf old: String?, _ name: String, command: String? = nil, _ change: String
  ) -> Fix {
    Fix(
      command ?? "echo \(value) | sudo tee \(file)", "\(change), until the next boot",
      undo: old.map { "echo \($0) | sudo tee \(file)" }, lasting: .atBoot(["w \(file) - - - - \(value)"], name))
  }
}

extension Fix.Lasting {
  /// Returns a setting as lines of tmpfiles.d(5), which systemd applies at every boot.
  static func atBoot(_ lines: [String], _ name: String) -> Fix.Lasting {
    let file = "/etc/tmpfiles.d/packrun-\(name).conf"
    let words = lines.map { "'\($0)'" }.joined(separator: " ")
    return Fix.Lasting(command: "printf '%s\\n' \(words) | sudo tee \(file)", undo: "sudo rm \(file)")
  }
}
