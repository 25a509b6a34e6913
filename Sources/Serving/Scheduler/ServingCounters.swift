// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import Synchronization

/// What has been done since the server started. Any thread may read it.
public final class ServingCounters: Sendable {
  private let promptTokenCount = Atomic<Int>(0)
  private let cachedTokenCount = Atomic<Int>(0)
  private let answerTokenCount = Atomic<Int>(0)
  private let readingNanoseconds = Atomic<Int>(0)
  private let writingNanoseconds = Atomic<Int>(0)
  private let stepCount = Atomic<Int>(0)
  private let sequenceCount = Atomic<Int>(0)
  private let finishedCount = Atomic<Int>(0)
  private let cancelledCount = Atomic<Int>(0)
  private let failedCount = Atomic<Int>(0)

  private let memoryTokenCount = Atomic<Int>(0)
  private let diskTokenCount = Atomic<Int>(0)
  private let prefixCount = Atomic<Int>(0)
  private let prefixByteCount = Atomic<Int>(0)

  init() {}

  /// The number of prompt tokens that were computed.
  public var promptTokens: Int { promptTokenCount.load(ordering: .relaxed) }
  /// The number of prompt tokens that were already known.
  public var cachedTokens: Int { cachedTokenCount.load(ordering: .relaxed) }
  /// The number of answer tokens.
  public var answerTokens: Int { answerTokenCount.load(ordering: .relaxed) }
  /// Seconds spent on reading prompts.
  public var readingSeconds: Double { Double(readingNanoseconds.load(ordering: .relaxed)) / 1e9 }
  /// Seconds spent on steps of answers.
  public var writingSeconds: Double { Double(writingNanoseconds.load(ordering: .relaxed)) / 1e9 }
  /// The number of steps of answers.
  public var steps: Int { stepCount.load(ordering: .relaxed) }
  /// The number of answers in these steps, added up over all steps.
  public var stepSequences: Int { sequenceCount.load(ordering: .relaxed) }
  /// The number of answers that have ended.
  public var finished: Int { finishedCount.load(ordering: .relaxed) }
  /// The number of answers that were cancelled.
  public var cancelled: Int { cancelledCount.load(ordering: .relaxed) }
  /// The number of requests that failed.
  public var failed: Int { failedCount.load(ordering: .relaxed) }

  /// The number of known prompt tokens that came from prefixes in memory, including busy slots, but not from the slot itself or a
  /// file.
  public var cachedMemoryTokens: Int { memoryTokenCount.load(ordering: .relaxed) }
  /// The number of known prompt tokens that came from files.
  public var cachedDiskTokens: Int { diskTokenCount.load(ordering: .relaxed) }
  /// The number of prefixes in memory.
  public var prefixes: Int { prefixCount.load(ordering: .relaxed) }
  /// Bytes of the prefixes in memory.
  public var prefixBytes: Int { prefixByteCount.load(ordering: .relaxed) }

  func noteFromMemory(_ tokens: Int) { memoryTokenCount.add(tokens, ordering: .relaxed) }

  func noteFromDisk(_ tokens: Int) { diskTokenCount.add(tokens, ordering: .relaxed) }

  func noteMemory(prefixes: Int, byteCount: Int) {
    prefixCount.add(prefixes, ordering: .relaxed)
    prefixByteCount.add(byteCount, ordering: .relaxed)
  }

  func noteBeginning(cached: Int) { cachedTokenCount.add(cached, ordering: .relaxed) }

  func noteReading(_ tokens: Int, _ seconds: Double) {
    promptTokenCount.add(tokens, ordering: .relaxed)
    readingNanoseconds.add(Int(seconds * 1e9), ordering: .relaxed)
  }

  func noteStep(sequences: Int, _ seconds: Double) {
    stepCount.add(1, ordering: .relaxed)
    sequenceCount.add(sequences, ordering: .relaxed)
    writingNanoseconds.add(Int(seconds * 1e9), ordering: .relaxed)
  }

  func noteEnd(_ event: AnswerEvent, tokens: Int) {
    answerTokenCount.add(tokens, ordering: .relaxed)
    switch event {
    case .finished(let summary) where summary.reason == .interrupted: cancelledCount.add(1, ordering: .relaxed)
    case .failed: failedCount.add(1, ordering: .relaxed)
    default: finishedCount.add(1, ordering: .relaxed)
    }
  }
}
