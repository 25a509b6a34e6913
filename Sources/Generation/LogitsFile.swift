// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import Inference
import PackRuntime

/// A file of logits: float32, little endian, with one row as long as the vocabulary for each token.
public final class LogitsFile {
  private let path: String
  private let vocabularySize: Int
  private let file: CInt

  /// Opens a file with the logits of `tokens` tokens.
  ///
  /// - Throws: `ModelError.runtime` if the file cannot be read, or does not have exactly that size.
  public init(_ path: String, tokens: Int, vocabularySize: Int) throws(ModelError) {
    self.path = path
    self.vocabularySize = vocabularySize
    file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Self.failure(path, "open it", Self.message(errno)) }
    var status = stat()
    let expected = tokens * vocabularySize * MemoryLayout<Float>.stride
    guard unsafe fstat(file, &status) == 0, Int(status.st_size) == expected else {
      close(file)
      throw Self.failure(
        path, "compare with it", "it has \(status.st_size) bytes, but \(tokens) tokens × \(vocabularySize) logits take \(expected)")
    }
  }

  deinit { close(file) }

  /// Returns the logits at a position of the text.
  func row(_ position: Int) throws(ModelError) -> [Float] {
    let size = vocabularySize * MemoryLayout<Float>.stride
    var row = [Float](repeating: 0, count: vocabularySize)
    // The array has `size` bytes, and any bits are a valid float.
    let count = unsafe row.withUnsafeMutableBytes { unsafe pread(file, $0.baseAddress, size, position * size) }
    guard count == size else {
      throw Self.failure(path, "read the logits of position \(position)", count < 0 ? Self.message(errno) : "it ends")
    }
    return row
  }

  private static func message(_ code: CInt) -> String { unsafe String(cString: strerror(code)) }

  private static func failure(_ path: String, _ operation: String, _ reason: String) -> ModelError {
    .runtime(.file(path: path, operation: operation, reason: reason))
  }
}
