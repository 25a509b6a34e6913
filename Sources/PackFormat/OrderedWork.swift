// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Dispatch
import Glibc

/// Runs pieces of work on several threads, and finishes the pieces in order.
///
/// It suits pieces that are independent except for one step, such as hashing a file front to back while its chunks are made in parallel.
public struct OrderedWork: Sendable {
  /// How many pieces there are.
  public let count: Int
  /// How many threads take them; at least one.
  public let threads: Int

  /// Work in `count` pieces for `threads` threads: by default one for each CPU this process may use.
  public init(count: Int, threads: Int = OrderedWork.availableThreads) {
    self.count = count
    self.threads = max(1, min(threads, count))
  }

  /// CPUs that this process may run on.
  public static var availableThreads: Int {
    var cpus = [Int32](repeating: 0, count: 16384)
    return max(1, unsafe Int(cl_affinity(&cpus, CInt(cpus.count))))
  }

  /// Runs every piece.
  ///
  /// - Parameters:
  ///   - makeState: What a thread keeps from piece to piece, such as its buffers; called once on each thread.
  ///   - work: Does piece `index`; pieces run at the same time, and are begun in order.
  ///   - finish: Called after `work` of the same piece on the same thread, in order of the pieces, one at a time.
  /// - Throws: The first error; pieces not yet begun are then left out.
  public func run<State: ~Copyable>(
    makeState: @Sendable () throws(PackError) -> State,
    work: @Sendable (_ index: Int, _ state: inout State) throws(PackError) -> Void,
    finish: (_ index: Int, _ state: inout State) throws(PackError) -> Void
  ) throws(PackError) {
    let turns = Turns(count: count)
    withoutActuallyEscaping(finish) { finish in
      // `finish` may touch what is not safe to share: `turns` lets one thread at a time call it.
      nonisolated(unsafe) let finish = finish
      DispatchQueue.concurrentPerform(iterations: threads) { _ in
        do throws(PackError) {
          var state = try makeState()
          while let index = turns.begin() {
            try work(index, &state)
            guard turns.wait(for: index) else { return }
            try unsafe finish(index, &state)
            turns.advance()
          }
        } catch {
          turns.fail(error)
        }
      }
    }
    if let error = turns.failure { throw error }
  }
}

/// Hands out pieces in order, and lets threads wait for their turn.
///
/// - Invariant: `mutex` and `condition` are initialised, at addresses of their own, and destroyed once; everything else is read and
///   written only while the mutex is held.
@safe private final class Turns: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let count: Int
  private var begun = 0
  private var finished = 0
  private var error: PackError?

  init(count: Int) {
    self.count = count
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe condition.initialize(to: pthread_cond_t())
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(condition, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  private func locked<Result>(_ body: () -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Takes the next piece; nil if there is none or a piece has failed.
  func begin() -> Int? {
    locked {
      guard error == nil, begun < count else { return nil }
      begun += 1
      return begun - 1
    }
  }

  /// Waits until all pieces before `index` are finished; false if one has failed.
  func wait(for index: Int) -> Bool {
    locked {
      while finished != index, error == nil { unsafe pthread_cond_wait(condition, mutex) }
      return error == nil
    }
  }

  func advance() {
    locked {
      finished += 1
      unsafe pthread_cond_broadcast(condition)
    }
  }

  func fail(_ error: PackError) {
    locked {
      if self.error == nil { self.error = error }
      unsafe pthread_cond_broadcast(condition)
    }
  }

  var failure: PackError? { locked { error } }
}
