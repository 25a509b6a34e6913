// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// How weights are held in memory, the rungs of the ladder.
public enum MemoryKind: String, Sendable, Hashable, CaseIterable {
  /// Pages of a pool reserved beforehand; they are never split or swapped.
  case hugetlb
  /// Memory of this process alone, in transparent huge pages where the kernel has them.
  case anon
  /// The page cache, mapped as it is: no copy, shared by all processes.
  case file
  /// Replicas that `PinnedReplicas.pin` left in memory.
  case pinned
}

/// What a user may ask for when a pack is placed.
public struct MemoryOptions: Sendable {
  /// The rung; nil: the best that this machine allows.
  public var kind: MemoryKind?
  /// Whether pages may lie on the nearest other nodes where the right one has too little memory.
  public var spill: Bool
  /// Machine nodes by the pack's nodes; nil: in order.
  public var nodeMap: [Int: Int]?
  /// Called now and then while bytes are brought in, by one thread at a time: bytes so far, bytes in all. Memory that is populated
  /// before it is read into counts twice. 0 of 0: it has come to an end early.
  public var progress: (@Sendable (_ done: Int, _ total: Int) -> Void)?
  /// Whether the weights are checked against the pack's digests where they lie in memory.
  public var verifies = false
  /// Asked before each piece that is brought in, from many threads: whether to give up, with `RuntimeError.interrupted`.
  public var isInterrupted: (@Sendable () -> Bool)?

  /// Bytes by node that will be needed in addition to the weights: there must be room for them, too, before anything is read.
  package var reserved: [Int: Int] = [:]
  var kernel = Kernel()
  /// Where /sys and /proc are.
  var root = ""

  /// Everything chosen by the machine.
  public init(
    kind: MemoryKind? = nil, spill: Bool = false, nodeMap: [Int: Int]? = nil,
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) {
    self.kind = kind
    self.spill = spill
    self.nodeMap = nodeMap
    self.progress = progress
  }
}
