// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// Memory that a thread keeps while it converts one range after another.
struct Scratch: ~Copyable {
  /// For row groups that are made of rows.
  var making = GroupBuffers()
  /// For rows that are made of row groups.
  var undoing = GroupBuffers()
  var codec: FrameCodec

  /// Bytes of rows that are read and converted at a time: few enough to stay in the second-level cache.
  static let batchByteCount = 1 << 18

  /// Threads that convert `tensors` at a time: as many as the memory for their row groups allows, and as keep a disk busy.
  static func threads(for tensors: [PackTensor]) -> Int {
    let widest = tensors.reduce(0) { widest, tensor in
      guard tensor.slices.contains(where: { $0.layout != .gguf }) else { return widest }
      return max(widest, GroupTransform(type: tensor.type, elements: tensor.rowElements)?.groupByteCount ?? 0)
    }
    // Of a pack that is repacked, a thread keeps a chunk, and up to seven row groups in the buffers above.
    let groups = widest.multiplied(by: 7) ?? memoryLimit
    let each = PackConverter.chunkByteCount + min(groups, memoryLimit)
    return max(1, min(OrderedWork.availableThreads, mostThreads, memoryLimit / each))
  }

  /// What all threads may take: 512 MiB, less what the process takes without them.
  private static let memoryLimit = 448 << 20
  /// More threads than this keep no disk busier.
  private static let mostThreads = 16

  /// Empty scratch memory.
  init() throws(PackError) { codec = try FrameCodec() }
}
