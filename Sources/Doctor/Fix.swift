// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How something that costs speed is put right.
public struct Fix: Sendable, Hashable {
  /// The command that does it now. What it sets in the kernel lasts until the next boot.
  public var command: String
  /// What the command changes, and for how long.
  public var change: String
  /// How it is undone, by a command where one does it; nil if nothing stays of it.
  public var undo: String?
  /// What does the same at every boot; nil if nothing has to.
  public var lasting: Lasting?

  /// A command that lasts, and the one that undoes it.
  public struct Lasting: Sendable, Hashable {
    /// The command.
    public var command: String
    /// The command that undoes it, from the next boot on.
    public var undo: String
  }

  init(_ command: String, _ change: String, undo: String? = nil, lasting: Lasting? = nil) {
    self.command = command
    self.change = change
    self.undo = undo
    self.lasting = lasting
  }

  /// Nothing on the machine changes.
  static func run(_ command: String) -> Fix { Fix(command, "nothing but this run") }

  /// Writes `value` to a file of the kernel, now and at every boot.
  ///
  /// - Parameters:
  ///   - old: What is in it; nil if that is not known.
  ///   - name: What the file of the lasting setting is called.
  ///   - command: The command that writes it now, if it is another than usual.
  static func kernel(
    _ file: String, _ value: String, insteadOf old: String?, _ name: String, command: String? = nil, _ change: String
  ) -> Fix {
    Fix(
      command ?? "echo \(value) | sudo tee \(file)", "\(change), until the next boot",
      undo: old.map { "echo \($0) | sudo tee \(file)" }, lasting: .atBoot(["w \(file) - - - - \(value)"], name))
  }
}

extension Fix.Lasting {
  /// Lines of tmpfiles.d(5), which systemd carries out at every boot.
  static func atBoot(_ lines: [String], _ name: String) -> Fix.Lasting {
    let file = "/etc/tmpfiles.d/packrun-\(name).conf"
    let words = lines.map { "'\($0)'" }.joined(separator: " ")
    return Fix.Lasting(command: "printf '%s\\n' \(words) | sudo tee \(file)", undo: "sudo rm \(file)")
  }
}
