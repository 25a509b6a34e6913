// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import NIOCore
import NIOHTTPTypes

/// Closes the connection of a client that is too slow: its request is not complete in time, or it does not read its response.
///
/// Otherwise, a client that stops in the middle would hold its connection, and the memory that belongs to it, indefinitely. Clients that
/// send nothing between two requests are handled by Hummingbird's idle timeout.
final class SlowClients: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let patience: TimeAmount
  /// The time by which the current request must be complete; nil if there is none. Every 64 KiB extend it by a second.
  private var requestEnd: NIODeadline?
  /// The parts of responses that the socket has not taken yet.
  private var waitingParts = 0
  /// The time when the socket last took a part, or got the first one.
  private var lastProgress = NIODeadline.now()
  private var check: Scheduled<Void>?

  init(patience: TimeAmount) { self.patience = patience }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head:
      requestEnd = .now() + patience
      watch(context, until: .now() + patience)
    case .body(let bytes): requestEnd = requestEnd.map { $0 + .microseconds(Int64(bytes.readableBytes) * 1_000_000 >> 16) }
    case .end: requestEnd = nil
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let written = promise ?? context.eventLoop.makePromise(of: Void.self)
    if waitingParts == 0 { lastProgress = .now() }
    waitingParts += 1
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    written.futureResult.whenComplete { _ in
      bound.value.waitingParts -= 1
      bound.value.lastProgress = .now()
    }
    context.write(data, promise: written)
    watch(context, until: .now() + patience)
  }

  private var deadline: NIODeadline? {
    [requestEnd, waitingParts > 0 ? lastProgress + patience : nil].compactMap(\.self).min()
  }

  private func watch(_ context: ChannelHandlerContext, until time: NIODeadline) {
    guard check == nil else { return }
    let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
    check = context.eventLoop.scheduleTask(deadline: time) {
      let (handler, context) = bound.value
      handler.check = nil
      guard let deadline = handler.deadline else { return }
      if deadline <= .now() { context.close(promise: nil) } else { handler.watch(context, until: deadline) }
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    check?.cancel()
    check = nil
  }
}
