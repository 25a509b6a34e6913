// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Serving

/// The HTTP side: listens, and ends when it is asked to.
struct Server {
  private let engine: Engine
  private let arguments: NetworkArguments
  private let keys: [String]

  init(_ engine: Engine, _ arguments: NetworkArguments, keys: [String]) {
    (self.engine, self.arguments, self.keys) = (engine, arguments, keys)
  }

  /// Serves until a signal comes or the engine fails. What goes wrong is the engine's failure.
  func run() async {
    var logger = Logger(label: "packserve") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .warning
    let routes = Routes(engine, bodyLimit: arguments.bodyMegabytes << 20)
    var configuration = ApplicationConfiguration(
      address: .hostname(arguments.host, port: arguments.port), serverName: "packserve",
      availableConnectionsDelegate: .maximum(arguments.connections, logger: logger))
    configuration.backlog = 1024
    let (host, name) = (arguments.host, arguments.host.contains(":") ? "[\(arguments.host)]" : arguments.host)
    let application = Application(
      router: routes.router(keys: keys), configuration: configuration,
      onServerRunning: { channel in Terminal.note("listening at http://\(name):\(channel.localAddress?.port ?? 0)") },
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
      // Once the server is to end, connections that do not close are cut.
      guard !Interrupt.isRequested, engine.failure == nil else { return }
      engine.fail(Failure("\(host):\(arguments.port): cannot listen: \(error)", exitCode: .failed))
    }
  }
}

/// Waits for the signal that ends the server, and lets the answers under way end.
private struct Ending: Service {
  let engine: Engine
  let drainSeconds: Int

  func run() async throws {
    while !Interrupt.isRequested, engine.failure == nil { try await Task.sleep(for: .milliseconds(50)) }
    guard engine.failure == nil else { return }
    Terminal.note("ending: answers under way get \(drainSeconds) seconds; another signal ends at once")
    await engine.drain(seconds: drainSeconds)
  }
}
