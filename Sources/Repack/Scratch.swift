// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// The memory that a thread keeps from one conversion to the next.
struct Scratch: ~Copyable {
  /// Buffers for making row groups from rows.
  var making = GroupBuffers()
  /// Buffers for making rows from row groups.
  var undoing = GroupBuffers()
  var codec: FrameCodec

  /// The bytes of rows that are read and converted at a time: few enough to stay in the second-level cache.
  static let batchByteCount = 1 << 18

  /// Returns the number of threads that convert `tensors`: as many as memory for their row groups allows, up to what keeps a disk busy.
  static func threads(for tensors: [PackTensor]) -> Int {
    let widest = tensors.reduce(0) { widest, tensor in
      guard tensor.slices.contains(where: { $0.layout != .gguf }) else { return widest }
      return max(widest, GroupTransform(type: tensor.type, elements: tensor.rowElements)?.groupByteCount ?? 0)
    }
    // When a pack is repacked, a thread holds a chunk and up to seven row groups in the buffers above.
    let groups = widest.multiplied(by: 7) ?? memoryLimit
    let each = PackConverter.chunkByteCount + min(groups, memoryLimit)
    return max(1, min(OrderedWork.availableThreads, mostThreads, memoryLimit / each))
  }

  /// The most memory for all threads together in bytes: 512 MiB less what the process needs without them.
  private static let memoryLimit = 448 << 20
  /// The most threads; more than this do not keep a disk busier.
  private static let mostThreads = 16

  /// Empty scratch memory.
  init() throws(PackError) { codec = try FrameCodec() }
}
