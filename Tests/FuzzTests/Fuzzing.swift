// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import TestSupport

/// The parts that the fuzzers share.
enum Fuzzing {
  /// The number of cases that each fuzzer tries.
  static let iterations = FuzzCases.count()

  /// Runs `body` with the path of an empty folder that is removed afterwards.
  ///
  /// The folder is in memory if possible: results are synced to the disk, which would take nearly all of the time.
  static func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let memory = URL(filePath: "/dev/shm")
    let isWritable = FileManager.default.isWritableFile(atPath: memory.path)
    return try TestSupport.withTemporaryFolder(in: isWritable ? memory : FileManager.default.temporaryDirectory, body)
  }

  /// The repository's fixtures.
  static let fixtures: [String] = {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../fixtures").standardized.path
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasSuffix(".gguf") }.sorted().map { folder + "/" + $0 }
  }()

  /// Returns whether a message fits one line of a terminal.
  static func isOneLine(_ message: String) -> Bool {
    !message.unicodeScalars.contains { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) }
  }

  /// Numbers at the limits of what readers accept.
  static let edges = [
    0, 1, 2, 3, 15, 16, 17, 31, 32, 63, 64, 65, 255, 256, 4095, 4096, 65_535, 1 << 20, 1 << 26, 1 << 30, 1 << 31, 1 << 32, 1 << 62,
    .max - 63, .max, -1, -64, .min,
  ]
}

extension SplitMix64 {
  mutating func next(below limit: Int) -> Int { Int.random(in: 0..<max(1, limit), using: &self) }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[next(below: elements.count)] }
}
