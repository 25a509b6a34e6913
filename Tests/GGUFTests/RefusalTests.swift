// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import TestSupport
import Testing

@testable import GGUF

@Suite("Bad files")
struct RefusalTests {
  @Test(
    "A bad file is refused in one line with the file, the byte, what is wrong and what to do",
    arguments: Refusal.ofStart + Refusal.ofKeys + Refusal.ofTensors)
  func refused(_ refusal: Refusal) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/bad.gguf"
      try Data(refusal.file.bytes).write(to: URL(filePath: path))
      let error = #expect(throws: GGUFError.self) { try GGUFModel.open(path) }
      #expect(error?.description == "\(path): at byte \(refusal.file.mark): \(refusal.message)")
    }
  }

  @Test("A header that is cut short is never mistaken for a whole one")
  func everyPrefix() throws {
    let bytes = try [UInt8](Data(contentsOf: URL(filePath: "\(fixturesFolder)/every-type.gguf")))
    let header = try GGUFHeader.parse(bytes.span.bytes, file: "whole")
    #expect(refusal(of: []) == "part: the file is empty; download it again")
    for length in 1..<header.byteCount {
      let error = refusal(of: Array(bytes.prefix(length)))
      #expect(error?.contains("cut short") == true, "\(length) bytes: \(error ?? "accepted")")
    }
    #expect(refusal(of: Array(bytes.prefix(header.byteCount))) == nil)
  }

  private func refusal(of bytes: [UInt8]) -> String? {
    do {
      _ = try GGUFHeader.parse(bytes.span.bytes, file: "part")
      return nil
    } catch {
      return error.description
    }
  }

  @Test("Anything except a regular file is refused without waiting for it")
  func noFile() throws {
    try withTemporaryFolder { folder in
      let pipe = "\(folder)/pipe.gguf"
      #expect(mkfifo(pipe, 0o600) == 0)
      for path in [pipe, "/dev/zero"] {
        let error = #expect(throws: GGUFError.self) { try GGUFModel.open(path) }
        #expect(error == .file(.notRegular(path: path)))
        #expect(error?.description == "\(path): this is not a regular file; give the path of a .gguf file")
      }
      let missing = #expect(throws: GGUFError.self) { try GGUFModel.open("\(folder)/none.gguf") }
      #expect(missing?.description == "\(folder)/none.gguf: cannot open it: No such file or directory")
    }
  }

  @Test("A string that would make the header longer than 64 MiB is refused before it is read")
  func longHeader() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/long.gguf"
      var file = RawGGUF(keys: 1)
      file.key("a", type: 8)
      file.integer(UInt64(1) << 29)
      try Data(file.bytes).write(to: URL(filePath: path))
      #expect(truncate(path, 1 << 31) == 0)
      let error = #expect(throws: GGUFError.self) { try GGUFModel.open(path) }
      #expect(
        error?.description
          == "\(path): at byte \(file.bytes.count): the key 'a' makes the header longer than 64 MiB; the file is damaged, or not a model: download it again"
      )
    }
  }

  @Test("An alignment that pads the header beyond 128 MiB is refused")
  func longPadding() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/wide.gguf"
      var file = RawGGUF(keys: 1)
      file.key("general.alignment", type: 4)
      file.integer(UInt32(1) << 28)
      try Data(file.bytes).write(to: URL(filePath: path))
      #expect(truncate(path, 1 << 29) == 0)
      let error = #expect(throws: GGUFError.self) { try GGUFModel.open(path) }
      #expect(
        error?.description
          == "\(path): at byte \(file.bytes.count): the padding to the alignment of 268435456 makes the header longer than 128 MiB; the file is damaged, or not a model: download it again"
      )
    }
  }
}

extension Refusal {
  /// The advice for an unknown type.
  static let newer =
    "a newer ggml or another program made it: update this program, or quantise the model to a type of llama.cpp"
}
