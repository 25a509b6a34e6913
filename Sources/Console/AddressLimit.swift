// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc

/// The limit on address space that `ulimit -v` and batch systems set.
enum AddressLimit {
  /// The address space that the programs need beyond what they have at the start, for the stacks, arenas and buffers of their threads.
  ///
  /// With less, an allocation fails in the middle of the work, where Swift can only abort.
  private static var needed: Int { 64 << 20 + max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) * (24 << 20) }

  /// Throws if the limit leaves too little address space.
  static func check() throws(Failure) {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur < UInt64(Int.max),
      let used = addresses, Int(limit.rlim_cur) - used < needed
    else { return }
    throw Failure(
      "too little memory: the limit on addresses (ulimit -v) leaves \(ByteCount(max(0, Int(limit.rlim_cur) - used))), and at least "
        + "\(ByteCount(needed)) are needed", exitCode: .failed)
  }

  /// The size of this process's address space in bytes; nil if it cannot be determined.
  private static var addresses: Int? {
    guard let file = unsafe fopen("/proc/self/statm", "r") else { return nil }
    defer { unsafe fclose(file) }
    var buffer = [CChar](repeating: 0, count: 64)
    guard unsafe fgets(&buffer, CInt(buffer.count), file) != nil else { return nil }
    let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.split(separator: " ").first.flatMap { Int($0) }.map { $0 * sysconf(Int32(_SC_PAGESIZE)) }
  }
}
