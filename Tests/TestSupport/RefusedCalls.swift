// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation

/// System calls that the kernel refuses to one thread, and to all threads and programs that it starts.
///
/// Old kernels, network filesystems and container profiles refuse calls in the same way. The code under test makes the real calls.
package struct RefusedCalls: Sendable, CustomStringConvertible {
  /// A call, with its name and its number in Linux's tables.
  package enum Call: String, Sendable {
    case renameat2, fallocate, flock, madvise
    case memfdCreate = "memfd_create"
    case bindMemory = "mbind"
    case setPolicy = "set_mempolicy"
    case getPolicy = "get_mempolicy"
    case movePages = "move_pages"
    case setAffinity = "sched_setaffinity"

    fileprivate var number: UInt32 {
      #if arch(x86_64)
        switch self {
        case .renameat2: 316
        case .fallocate: 285
        case .flock: 73
        case .madvise: 28
        case .memfdCreate: 319
        case .bindMemory: 237
        case .setPolicy: 238
        case .getPolicy: 239
        case .movePages: 279
        case .setAffinity: 203
        }
      #else
        switch self {
        case .renameat2: 276
        case .fallocate: 47
        case .flock: 32
        case .madvise: 233
        case .memfdCreate: 279
        case .bindMemory: 235
        case .setPolicy: 237
        case .getPolicy: 236
        case .movePages: 239
        case .setAffinity: 122
        }
      #endif
    }
  }

  private let calls: [Call]
  private let error: CInt

  /// Makes the kernel answer `calls` with `error`, an errno.
  package init(_ calls: Call..., error: CInt) {
    self.calls = calls
    self.error = error
  }

  package var description: String { "\(calls.map(\.rawValue).joined(separator: ", ")): \(String(cString: strerror(error)))" }

  /// Whether this machine lets a thread refuse calls to itself.
  package static let areAvailable = (try? RefusedCalls(.renameat2, error: EINVAL).run {}) != nil

  private struct Unavailable: Error {}

  /// Runs `body` on a thread of its own, to which the calls are refused.
  package func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
    let outcome = Outcome<Value>()
    let thread = Thread {
      outcome.result = Result { () throws -> Value in
        guard install() else { throw Unavailable() }
        return try body()
      }
      outcome.done.signal()
    }
    thread.stackSize = 8 << 20
    thread.start()
    outcome.done.wait()
    guard let result = outcome.result else { throw Unavailable() }
    return try result.get()
  }

  private final class Outcome<Value: Sendable>: @unchecked Sendable {
    // Written before `done` is signalled, and read afterwards.
    var result: Result<Value, any Error>?
    let done = DispatchSemaphore(value: 0)
  }

  /// An instruction of the kernel's packet filter (linux/filter.h).
  private struct Instruction {
    var code: UInt16
    var ifTrue: UInt8 = 0
    var ifFalse: UInt8 = 0
    var operand: UInt32
  }

  private struct Program {
    var count: UInt16
    var instructions: UnsafePointer<Instruction>
  }

  /// Filters this thread's calls (seccomp(2)).
  private func install() -> Bool {
    // Swift does not import functions with variable arguments.
    typealias Control = @convention(c) (CInt, UInt, UInt, UInt, UInt) -> CInt
    guard let symbol = dlsym(nil, "prctl") else { return false }
    let control = unsafeBitCast(symbol, to: Control.self)
    // The program checks the call's number: if it is one of these it returns the error, otherwise the call is allowed.
    var filter = [Instruction(code: 0x20, operand: 0)]
    for (index, call) in calls.enumerated() {
      filter.append(Instruction(code: 0x15, ifTrue: UInt8(calls.count - index), operand: call.number))
    }
    filter += [Instruction(code: 0x06, operand: 0x7fff_0000), Instruction(code: 0x06, operand: 0x0005_0000 | UInt32(error))]
    let noNewPrivileges: CInt = 38
    let filterCalls: CInt = 22
    return filter.withUnsafeBufferPointer { instructions in
      guard let base = instructions.baseAddress, control(noNewPrivileges, 1, 0, 0, 0) == 0 else { return false }
      return withUnsafePointer(to: Program(count: UInt16(instructions.count), instructions: base)) { program in
        control(filterCalls, 2, UInt(bitPattern: program), 0, 0) == 0
      }
    }
  }
}
