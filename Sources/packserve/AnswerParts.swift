// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Serving

/// A part of a response: an event of one of its answers, or a tick if there has been no event for a while.
enum AnswerPart: Sendable {
  case event(AnswerEvent, answer: Int)
  case tick
}

/// Merges the events of several answers into one stream, which ends when all of them have ended.
///
/// Dropping the stream cancels the answers.
func merge(_ answers: [AsyncStream<AnswerEvent>], tickSeconds: Int = 5) -> AsyncStream<AnswerPart> {
  let (parts, continuation) = AsyncStream.makeStream(of: AnswerPart.self)
  let task = Task {
    await withTaskGroup(of: Void.self) { group in
      for (index, answer) in answers.enumerated() {
        group.addTask {
          for await event in answer { continuation.yield(.event(event, answer: index)) }
        }
      }
      let ticks = Task {
        while !Task.isCancelled {
          try? await Task.sleep(for: .seconds(tickSeconds))
          if !Task.isCancelled { continuation.yield(.tick) }
        }
      }
      await group.waitForAll()
      ticks.cancel()
    }
    continuation.finish()
  }
  continuation.onTermination = { _ in task.cancel() }
  return parts
}
