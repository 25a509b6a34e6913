// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The kinds of memory that can hold weights: the rungs of the ladder.
public enum MemoryKind: String, Sendable, Hashable, CaseIterable {
  /// Pages of a pool that was reserved beforehand. They are never split or swapped.
  case hugetlb
  /// Private memory of this process, in transparent huge pages if the kernel provides them.
  case anon
  /// The page cache, mapped directly: no copy, and shared by all processes.
  case file
  /// Replicas that `PinnedReplicas.pin` left in memory.
  case pinned
}

/// The options for placing a pack in memory.
public struct MemoryOptions: Sendable {
  /// The kind of memory; nil chooses the best that this machine allows.
  public var kind: MemoryKind?
  /// Whether pages may lie on the nearest other nodes if the intended one has too little memory.
  public var spill: Bool
  /// The machine's node for each node of the pack; nil assigns them in order.
  public var nodeMap: [Int: Int]?
  /// Called from time to time during loading, by one thread at a time, with the bytes so far and in all.
  ///
  /// Memory that is populated before it is read into counts twice. 0 of 0 means that loading ended early.
  public var progress: (@Sendable (_ done: Int, _ total: Int) -> Void)?
  /// Whether the weights in memory are checked against the pack's digests.
  public var verifies = false
  /// Called before each piece that is loaded, on many threads; if it returns true, loading ends with `RuntimeError.interrupted`.
  public var isInterrupted: (@Sendable () -> Bool)?

  /// The bytes by node that are needed in addition to the weights. There must be room for them too before anything is read.
  package var reserved: [Int: Int] = [:]
  var kernel = Kernel()
  /// The folder that holds /sys and /proc, for tests.
  var root = ""

  /// Options that leave everything not given to the program.
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
