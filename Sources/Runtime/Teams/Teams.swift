// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import Synchronization

/// The threads of all teams. They are started once, each pinned to its CPU and allocating on its node, and spin or sleep between runs.
public final class Teams: @unchecked Sendable {
  /// The number of teams.
  public let teamCount: Int
  /// The number of threads in all teams.
  public let threadCount: Int
  /// The plan that the teams were started from.
  public let plan: TeamPlan
  /// The reason why threads could not be pinned, on one line; nil if all are.
  public let pinRefusal: String?
  /// The reason why threads could not be set to allocate on their nodes, on one line; nil if all are.
  public let policyRefusal: String?

  private let shared: SharedState
  private var threads: [pthread_t] = []
  private let oneRunAtATime = Mutex<Void>(())

  /// Starts the threads and returns when all of them have been pinned.
  ///
  /// - Throws: `RuntimeError.system` if a thread cannot be started; no thread remains then.
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

  /// Returns the number of a team's first thread among all threads.
  public func firstThread(of team: Int) -> Int { shared.firstThreads[team] }

  /// Returns the number of threads of a team.
  public func size(of team: Int) -> Int { plan.teams[team].cpus.count }

  /// Runs `body` on every thread at the same time and returns when all have finished.
  ///
  /// It must not be called from within a body. What the bodies wrote is visible to the caller.
  package func run(_ body: (borrowing Worker) -> Void) {
    oneRunAtATime.withLock { _ in
      withoutActuallyEscaping(body) { shared.run($0) }
    }
  }

  /// The address space for one thread's stack in bytes; memory is allocated only for what is used.
  private static let stackByteCount = 2 << 20

  private static func start(_ shared: SharedState) -> (started: [pthread_t], failure: CInt) {
    var started: [pthread_t] = []
    // The size is set explicitly, because the default is the limit of the main thread's stack, which may be tiny.
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

  /// The main function of each thread.
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

/// The state that the threads and their owner share.
///
/// - Invariant: `body` is written only while all threads wait for `begin`. Threads read it only after `begin` is raised and before they
///   raise `done`; both signals order memory. Each thread holds this object, so the barriers are freed after the last thread has ended.
@safe private final class SharedState: @unchecked Sendable {
  let plan: TeamPlan
  let kernel: Kernel
  let workers: [Worker]
  let firstThreads: [Int]
  let refusals = Mutex<Refusals>(Refusals())

  struct Refusals {
    /// The errno for each CPU to which a thread could not be pinned.
    var pins: [Int: CInt] = [:]
    var policy: CInt?
  }

  /// One barrier for each team alone; then one for each team at which the teams meet; then the root that joins these.
  private let barriers: UnsafeMutablePointer<cl_barrier>
  private let tallies: UnsafeMutablePointer<cl_tally>
  private let begin: UnsafeMutablePointer<cl_signal>
  private let done: UnsafeMutablePointer<cl_signal>
  private let running = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  private var body: ((borrowing Worker) -> Void)?
  private var doneSeen: UInt32 = 0
  private let spinMicroseconds: UInt32

  /// How long a waiting thread spins: longer than the imbalance between threads within a layer. After that, it yields the CPU between
  /// looks.
  private static let spinMicroseconds: UInt32 = 50
  /// How long it yields: longer than choosing a token takes, so that threads sleep only when there is nothing to compute.
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

  /// Allocates elements on cache lines of their own.
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

  /// Waits until all threads have finished. It sleeps at once, because the threads need the CPUs.
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

  /// Pins the calling thread, and makes its node the preferred one for its allocations and for file pages that it reads.
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
