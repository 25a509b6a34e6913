// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ArgumentParser
import Console
import Doctor
import Glibc
import PackFormat
import PackRuntime

/// `packrun top`: shows what a running pack does, node by node.
struct TopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top",
    abstract: "Show what a running pack does on each node: tokens per second, bytes read, where its pages are, and its threads.",
    discussion: """
      Watches the packrun or packserve that runs a pack, or the process with a given number, until it ends or you press Ctrl-C. For any \
      other program, only threads and pages are shown, because the kernel does not know what it computes. At a terminal, each report \
      replaces the last; elsewhere, it is printed below the last.
      """)

  @Argument(help: "The running pack, or the number of a process.", completion: .directory)
  var subject: String

  @Option(name: .shortAndLong, help: "How many reports to show; 1 prints one, for scripts. (default: until the process ends)")
  var number: Int?

  @Option(name: .shortAndLong, help: "Seconds between two reports.")
  var delay = 1.0

  @Flag(help: "Print each report as a line of JSON.")
  var json = false

  func validate() throws {
    if let number, number < 1 { throw ValidationError("-n \(number): must be at least 1") }
    guard (0.1...3600).contains(delay) else { throw ValidationError("-d \(delay): must be between 0.1 and 3600") }
  }

  func run() throws {
    let process = try process()
    Interrupt.watch([SIGINT, SIGTERM, SIGHUP])
    guard var last = ProcessSample(process) else { throw Self.ended(process) }
    var screen = StatusScreen()
    var pages = PageClock()
    var shown = 0
    while shown < number ?? .max, !Output.hasFailed {
      guard Self.sleep(delay) else { return }
      guard let next = ProcessSample(process) else {
        // Nothing was shown. A script must not mistake that for a result.
        if shown == 0 { throw Self.ended(process) }
        return Terminal.note("process \(process.id) has ended")
      }
      let activity = Activity(process, from: last, to: next, pages: pages.read(process))
      let text = ActivityText(process, activity)
      if json {
        Output.print(event: text.document)
      } else {
        screen.show(text.lines(columns: screen.columns, isUTF8: Terminal.isUTF8), isLast: shown + 1 == number)
      }
      last = next
      shown += 1
    }
  }

  private static func ended(_ process: WatchedProcess) -> Failure { Failure("process \(process.id) has ended", exitCode: .failed) }

  /// Waits for `seconds`; false if a signal arrived.
  private static func sleep(_ seconds: Double) -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      if Interrupt.isRequested { return false }
      usleep(20_000)
    }
    return !Interrupt.isRequested
  }

  private func process() throws -> WatchedProcess {
    let id = Int(subject).flatMap { $0 > 0 ? $0 : nil }
    let path = id == nil ? try Pack.open(named: subject).wholePath : ""
    do throws(WatchedProcess.Problem) {
      if let id { return try WatchedProcess(id) }
      let found = try WatchedProcess.all(running: path)
      if found.count > 1 {
        let list = found.map { "\($0.id) (\($0.program))" }.joined(separator: ", ")
        Terminal.note("several processes run this pack: \(list); showing the first")
      }
      return found[0]
    } catch {
      switch error {
      case .noProcess: throw Failure("there is no process \(subject)")
      case .notAllowed:
        throw Failure("process \(subject) belongs to another user; sudo packrun top \(subject) shows it", exitCode: .failed)
      case .notRunning:
        throw Failure(
          "\(subject): no packrun or packserve of this user runs this pack; name the process by its number", exitCode: .failed)
      }
    }
  }
}

/// Limits how often pages are queried, so that it takes little of the time: the kernel counts each page.
private struct PageClock {
  private var known: ProcessPages?
  private var took = Duration.zero
  private var asked: ContinuousClock.Instant?

  mutating func read(_ process: WatchedProcess) -> ProcessPages? {
    let start = ContinuousClock.now
    if let asked, start - asked < took * 20 { return known }
    known = ProcessPages(process)
    (asked, took) = (start, ContinuousClock.now - start)
    return known
  }
}
