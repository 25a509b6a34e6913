// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import NIOCore
import NIOHTTPTypes

/// Closes the connection of a client that is too slow: its request is not whole in time, or it takes nothing of what is ready for it.
///
/// Without it, a client that stops in the middle keeps its connection, and the memory that belongs to it, for as long as it likes.
/// Clients that send nothing at all between two requests are left to Hummingbird's idle timeout.
final class SlowClients: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let patience: TimeAmount
  /// When the request that is not whole yet must be; nil: there is none. Each 64 KiB get a second more.
  private var requestEnd: NIODeadline?
  /// Parts of answers that the socket has not taken yet.
  private var waitingParts = 0
  /// When the socket took one, or got the first.
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
