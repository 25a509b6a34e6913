// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import Serving
import SystemPackage

/// The HTTP server, which listens until it is asked to end.
struct Server {
  private let engine: Engine
  private let arguments: NetworkArguments
  private let keys: [String]
  /// The configuration of TLS; nil if connections are not encrypted.
  private let certificate: TLSConfiguration?

  init(_ engine: Engine, _ arguments: NetworkArguments, keys: [String], certificate: TLSConfiguration?) {
    (self.engine, self.arguments, self.keys, self.certificate) = (engine, arguments, keys, certificate)
  }

  /// Returns how connections are handled: with limits on what a client may send and how long it may take.
  private func connections() throws -> HTTPServerBuilder {
    let patience = TimeAmount.seconds(Int64(arguments.clientSeconds))
    let plain = HTTPServerBuilder.http1(
      configuration: HTTP1Channel.Configuration(
        additionalChannelHandlers: [SlowClients(patience: patience)], idleTimeout: patience,
        httpDecoderConfiguration: .init(maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 200)))
    guard let certificate else { return plain }
    return try .tls(plain, tlsConfiguration: certificate)
  }

  /// Serves until a signal arrives or the engine fails. An error of the server becomes the engine's failure.
  func run() async {
    let log = Logger(label: "packserve") { [format = arguments.logFormat] _ in LogLine(format) }
    var logger = log
    logger.logLevel = .warning
    let routes = Routes(engine, arguments, log: log)
    var configuration = ApplicationConfiguration(
      address: .hostname(arguments.host, port: arguments.port), serverName: "packserve",
      availableConnectionsDelegate: .maximum(arguments.connections, logger: logger))
    configuration.backlog = 1024
    let name = arguments.host.contains(":") ? "[\(arguments.host)]" : arguments.host
    let scheme = certificate == nil ? "http" : "https"
    let builder: HTTPServerBuilder
    do { builder = try connections() } catch { return engine.fail(Failure("TLS cannot be used: \(error)", exitCode: .failed)) }
    let application = Application(
      router: routes.router(keys: keys), server: builder, configuration: configuration,
      onServerRunning: { channel in Terminal.note("listening at \(scheme)://\(name):\(channel.localAddress?.port ?? 0)") },
      logger: logger)
    var services = ServiceGroupConfiguration(
      services: [
        .init(service: application),
        .init(
          service: Ending(engine: engine, drainSeconds: arguments.drainSeconds),
          successTerminationBehavior: .gracefullyShutdownGroup),
      ], logger: logger)
    services.maximumGracefulShutdownDuration = .seconds(3)
    do { try await ServiceGroup(configuration: services).run() } catch {
      // When the server is to end, connections that do not close are cut.
      guard !Interrupt.isRequested, engine.failure == nil else { return }
      engine.fail(Failure("\(name):\(arguments.port): cannot listen: \(Self.reason(error))", exitCode: .failed))
    }
  }
}

/// Why a server cannot listen.
extension Server {
  private static func reason(_ error: any Error) -> String {
    if error is SocketAddressError.UnknownHost {
      return "no address is known for this name; give --host an address of this machine, or 0.0.0.0 for all"
    }
    guard let error = error as? IOError else { return "\(error)" }
    let reason = Errno(rawValue: error.errnoCode)
    switch reason {
    case .addressInUse: return "another program listens there; give --port another port, or 0 for any free one"
    case .addressNotAvailable: return "this machine does not have the address; give --host one that it has, or 0.0.0.0 for all"
    case .permissionDenied: return "the port is reserved; give --port another one, such as 8080, or run with CAP_NET_BIND_SERVICE"
    default: return "\(reason)"
    }
  }
}

/// Waits for the signal that ends the server, and lets the current answers finish.
private struct Ending: Service {
  let engine: Engine
  let drainSeconds: Int

  func run() async throws {
    while !Interrupt.isRequested, engine.failure == nil { try await Task.sleep(for: .milliseconds(50)) }
    guard engine.failure == nil else { return }
    Terminal.note("ending: unfinished answers get \(drainSeconds) seconds; another signal ends the server at once")
    await engine.drain(seconds: drainSeconds)
  }
}
