// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import Synchronization

/// The teams' threads: started once, each pinned to its CPU and allocating on its node, asleep or spinning between runs.
public final class Teams: @unchecked Sendable {
  /// How many teams there are.
  public let teamCount: Int
  /// How many threads there are in all teams.
  public let threadCount: Int
  /// What was asked for.
  public let plan: TeamPlan
  /// Why threads could not be pinned, in one line; nil if all are.
  public let pinRefusal: String?
  /// Why threads could not be told to allocate on their nodes, in one line; nil if they were.
  public let policyRefusal: String?

  private let shared: SharedState
  private var threads: [pthread_t] = []
  private let oneRunAtATime = Mutex<Void>(())

  /// Starts the threads and returns when all of them are pinned.
  ///
  /// - Throws: `RuntimeError.system` if a thread cannot be started; none is left behind then.
  public convenience init(plan: TeamPlan) throws(RuntimeError) {
    try self.init(plan: plan, kernel: Kernel())
  }

  init(plan: TeamPlan, kernel: Kernel) throws(RuntimeError) {
    self.plan = plan
    teamCount = plan.teams.count
    threadCount = plan.threadCount
    shared = SharedState(plan, kernel: kernel)
    let (started, failure) = Self.start(shared)
    guard failure == 0 else {
      shared.stop()
      for thread in started { pthread_join(thread, nil) }
      throw .system(operation: "start thread \(started.count + 1) of \(plan.threadCount)", reason: Kernel.text(failure))
    }
    threads = started
    shared.waitUntilDone()
    let refusals = shared.refusals.withLock { $0 }
    policyRefusal = refusals.policy.map { "the kernel refuses memory policies of threads: \(Kernel.text($0))" }
    pinRefusal = refusals.pins.first.map { first in
      "cannot pin threads to CPU \(NumberList.format(refusals.pins.keys.sorted())): \(Kernel.text(first.value))"
    }
  }

  deinit {
    shared.stop()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// The number of a team's first thread among all.
  public func firstThread(of team: Int) -> Int { shared.firstThreads[team] }

  /// How many threads a team has.
  public func size(of team: Int) -> Int { plan.teams[team].cpus.count }

  /// Runs `body` on every thread at the same time and returns when all are done.
  ///
  /// Must not be called from within a body. What the bodies wrote is visible to the caller.
  package func run(_ body: (borrowing Worker) -> Void) {
    oneRunAtATime.withLock { _ in
      withoutActuallyEscaping(body) { shared.run($0) }
    }
  }

  /// Addresses for one thread's stack; memory is taken only for what is used.
  private static let stackByteCount = 2 << 20

  private static func start(_ shared: SharedState) -> (started: [pthread_t], failure: CInt) {
    var started: [pthread_t] = []
    // Of a size of its own: the default is the limit of the main thread's stack, which may be set to next to nothing.
    var attributes = pthread_attr_t()
    let refusal = unsafe pthread_attr_init(&attributes)
    guard refusal == 0 else { return (started, refusal) }
    defer { unsafe pthread_attr_destroy(&attributes) }
    unsafe pthread_attr_setstacksize(&attributes, Self.stackByteCount)
    for worker in shared.workers {
      var thread = pthread_t()
      let context = unsafe Unmanaged.passRetained(ThreadContext(shared: shared, worker: worker))
      let failure = unsafe pthread_create(&thread, &attributes, Self.main, context.toOpaque())
      guard failure == 0 else {
        unsafe context.release()
        return (started, failure)
      }
      started.append(thread)
    }
    return (started, 0)
  }

  /// What each thread does from its start to its end.
  private static let main: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { pointer in
    guard let pointer = unsafe pointer else { return nil }
    let context = unsafe Unmanaged<ThreadContext>.fromOpaque(pointer).takeRetainedValue()
    context.shared.serve(context.worker)
    return nil
  }
}

private final class ThreadContext {
  let shared: SharedState
  let worker: Worker

  init(shared: SharedState, worker: Worker) {
    self.shared = shared
    self.worker = worker
  }
}

/// What the threads and their owner share.
///
/// - Invariant: `body` is written only while all threads wait for `begin`, and read by them only between its being raised and
///   their raising of `done`; both order memory. The barriers are freed after the last thread has ended, as each thread holds this object.
@safe private final class SharedState: @unchecked Sendable {
  let plan: TeamPlan
  let kernel: Kernel
  let workers: [Worker]
  let firstThreads: [Int]
  let refusals = Mutex<Refusals>(Refusals())

  struct Refusals {
    /// The errno of each CPU to which no thread could be pinned.
    var pins: [Int: CInt] = [:]
    var policy: CInt?
  }

  /// One for each team; then one for each team again, joined by the last, at which the teams meet.
  private let barriers: UnsafeMutablePointer<cl_barrier>
  private let tallies: UnsafeMutablePointer<cl_tally>
  private let begin: UnsafeMutablePointer<cl_signal>
  private let done: UnsafeMutablePointer<cl_signal>
  private let running = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  private var body: ((borrowing Worker) -> Void)?
  private var doneSeen: UInt32 = 0
  private let spinMicroseconds: UInt32

  /// Longer than the imbalance between threads within a layer; then each look gives up the CPU.
  private static let spinMicroseconds: UInt32 = 50
  /// Longer than it takes to choose a token, so that a thread sleeps only when nothing is to be computed.
  private static let yieldMicroseconds: UInt32 = 2000

  init(_ plan: TeamPlan, kernel: Kernel) {
    self.plan = plan
    self.kernel = kernel
    let teamCount = plan.teams.count
    let spin = plan.isOversubscribed ? 0 : Self.spinMicroseconds
    spinMicroseconds = spin
    unsafe barriers = Self.allocate(2 * teamCount + 1, of: cl_barrier.self)
    let tallyCount = teamCount * SharedWork.allCases.count
    unsafe tallies = Self.allocate(tallyCount, of: cl_tally.self)
    unsafe tallies.initialize(repeating: cl_tally(), count: tallyCount)
    unsafe begin = Self.allocate(1, of: cl_signal.self)
    unsafe done = Self.allocate(1, of: cl_signal.self)
    unsafe begin.initialize(to: cl_signal())
    unsafe done.initialize(to: cl_signal())
    let root = unsafe barriers + 2 * teamCount
    unsafe cl_barrier_init(root, UInt32(teamCount), nil, spin, Self.yieldMicroseconds)
    var workers: [Worker] = []
    var firstThreads: [Int] = []
    for (team, description) in plan.teams.enumerated() {
      let size = description.cpus.count
      unsafe cl_barrier_init(barriers + team, UInt32(size), nil, spin, Self.yieldMicroseconds)
      unsafe cl_barrier_init(barriers + teamCount + team, UInt32(size), teamCount > 1 ? root : nil, spin, Self.yieldMicroseconds)
      firstThreads.append(workers.count)
      for index in 0..<size {
        unsafe workers.append(
          Worker(
            team: team, teamCount: teamCount, index: index, teamSize: size, thread: workers.count, threadCount: plan.threadCount,
            teamMeeting: barriers + team, meeting: barriers + teamCount + team,
            tallies: tallies + team * SharedWork.allCases.count))
      }
    }
    self.workers = workers
    self.firstThreads = firstThreads
    running.store(workers.count, ordering: .relaxed)
  }

  /// On cache lines of their own.
  private static func allocate<Line>(_ count: Int, of type: Line.Type) -> UnsafeMutablePointer<Line> {
    unsafe UnsafeMutableRawPointer.allocate(byteCount: count * MemoryLayout<Line>.stride, alignment: 64).bindMemory(
      to: type, capacity: count)
  }

  deinit {
    unsafe barriers.deallocate()
    unsafe tallies.deallocate()
    unsafe begin.deallocate()
    unsafe done.deallocate()
  }

  // MARK: The owner's side

  func run(_ body: @escaping (borrowing Worker) -> Void) {
    self.body = body
    running.store(workers.count, ordering: .relaxed)
    unsafe cl_signal_raise(begin)
    waitUntilDone()
    self.body = nil
  }

  /// Sleeps at once: the threads need the CPUs.
  func waitUntilDone() { doneSeen = unsafe cl_signal_wait(done, doneSeen, 0, 0) }

  func stop() {
    stopping.store(true, ordering: .relaxed)
    unsafe cl_signal_raise(begin)
  }

  // MARK: The threads' side

  func serve(_ worker: Worker) {
    settle(worker)
    var seen: UInt32 = 0
    finish()
    while true {
      seen = unsafe cl_signal_wait(begin, seen, spinMicroseconds, Self.yieldMicroseconds)
      if stopping.load(ordering: .relaxed) { return }
      body?(worker)
      finish()
    }
  }

  /// Pins the calling thread and lets its own allocations, and the file pages it brings back, lie on its node.
  private func settle(_ worker: Worker) {
    let team = plan.teams[worker.team]
    let cpu = team.cpus[worker.index]
    let pinFailure = cl_pin(CInt(cpu))
    if pinFailure != 0 { refusals.withLock { $0.pins[cpu] = pinFailure } }
    let policyFailure = kernel.setPolicy(.preferred(team.node))
    if policyFailure != 0 { refusals.withLock { $0.policy = policyFailure } }
  }

  private func finish() {
    if running.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { unsafe cl_signal_raise(done) }
  }
}
