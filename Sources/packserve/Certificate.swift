// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Console
import Files
import NIOSSL

/// Reads the files for TLS before the model is loaded.
enum Certificate {
  /// - Parameters:
  ///   - chain: A PEM file with the server's certificate, followed by those that lead to a root.
  ///   - key: A PEM file with the private key of the server's certificate.
  static func configuration(chain: String, key: String) throws -> TLSConfiguration {
    let certificates: [NIOSSLCertificate]
    do { certificates = try NIOSSLCertificate.fromPEMBytes(bytes(chain)) } catch let error as NIOSSLError {
      throw unusable(chain, error)
    }
    guard !certificates.isEmpty else { throw Failure("\(chain): there is no certificate in it; it must be a file in PEM") }
    let privateKey: NIOSSLPrivateKey
    do { privateKey = try NIOSSLPrivateKey(bytes: bytes(key), format: .pem) } catch let error as NIOSSLError {
      throw unusable(key, error)
    }
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(privateKey))
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    do { _ = try NIOSSLContext(configuration: configuration) } catch {
      throw Failure("\(key): this is not the key of the certificate in \(chain)")
    }
    return configuration
  }

  private static func bytes(_ path: String) throws -> [UInt8] {
    try File<FileError>(path, links: .followed).contents(limit: 1 << 20)
  }

  private static func unusable(_ path: String, _ error: NIOSSLError) -> Failure {
    switch error {
    case .failedToLoadCertificate: Failure("\(path): there is no certificate in it that can be read; it must be a file in PEM")
    case .failedToLoadPrivateKey:
      Failure("\(path): there is no private key in it that can be read; it must be a file in PEM, without a password")
    default: Failure("\(path): cannot be used for TLS: \(error)")
    }
  }
}
