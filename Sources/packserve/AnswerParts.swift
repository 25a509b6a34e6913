// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Serving

/// What a response is made of: the events of all its answers, and a tick where nothing has come for a while.
enum AnswerPart: Sendable {
  case event(AnswerEvent, answer: Int)
  case tick
}

/// The events of several answers in one stream, which ends when all of them have ended. Nobody computes them any more once the stream
/// is dropped.
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
