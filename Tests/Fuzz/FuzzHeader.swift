// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// Reads each input from libFuzzer as a GGUF header. Built and run by `scripts/fuzz`.
///
/// - Precondition: `bytes` points to `count` readable bytes, as libFuzzer guarantees.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHeader(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  let input = UnsafeRawBufferPointer(start: bytes, count: count)
  do {
    let header = try GGUFHeader.parse(input.bytes, file: "fuzz")
    for entry in header.metadata.entries {
      guard case .array(let array) = entry.value else { continue }
      _ = (array.byteStrings, array.strings, array.integers, array.floats, array.bools)
    }
  } catch {
    precondition(!error.description.contains(where: \.isNewline), "an error in more than one line")
  }
  return 0
}
