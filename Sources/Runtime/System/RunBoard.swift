// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Files
import Glibc
import Synchronization
import SystemPackage

/// The board on which a process shows others the progress of its models.
///
/// It is a file in memory without a name in any folder. Other processes open it through its descriptor under /proc, so only those permitted
/// to inspect the process can read it, and it disappears with the process however that ends.
///
/// The file consists of words of 64 bits: 8 letters that identify it, the number of lanes, and the size of the description in bytes. From
/// byte 64 on there are 64 bytes for each lane (a model): its steps, its tokens, and those of them whose logits were wanted. The
/// description follows.
///
/// - Invariant: `base` is mapped, shared and writable, from `init` until this value ends, and covers the head, the lanes and the
///   description.
@safe package final class RunBoard: @unchecked Sendable {
  /// The name in the link to the descriptor under /proc.
  package static let name = "ggufpack-run"
  /// The letters "ggufrun1".
  private static let magic = UInt64(bigEndian: 0x6767_7566_7275_6e31)
  private static let lineByteCount = 64

  private let base: UnsafeMutableRawPointer
  private let byteCount: Int
  private let file: CInt

  /// Creates the file; nil if the kernel refuses it, in which case nothing is shown and nothing else changes.
  package init?(laneCount: Int, description: [UInt8]) {
    byteCount = Self.lineByteCount * (1 + laneCount) + description.count
    file = unsafe cl_memory_file(Self.name, Int64(byteCount))
    guard file >= 0 else { return nil }
    guard let start = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), unsafe start != MAP_FAILED else {
      close(file)
      return nil
    }
    unsafe base = start
    unsafe base.storeBytes(of: UInt64(laneCount), toByteOffset: 8, as: UInt64.self)
    unsafe base.storeBytes(of: UInt64(description.count), toByteOffset: 16, as: UInt64.self)
    unsafe (base + byteCount - description.count).copyMemory(from: description, byteCount: description.count)
    // The letters are written last, so that a reader finds a complete board or none.
    unsafe base.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(Self.magic, ordering: .releasing)
  }

  deinit {
    unsafe munmap(base, byteCount)
    close(file)
  }

  /// Returns the counter for the steps of a lane's model.
  package func counter(ofLane lane: Int) -> StepCounter {
    let start = unsafe base + Self.lineByteCount * (1 + lane)
    return unsafe StepCounter(start.bindMemory(to: Atomic<UInt64>.self, capacity: 3), on: self)
  }

  // MARK: Reading another's

  /// The progress of a lane when it was read.
  package struct Lane: Hashable, Sendable {
    /// The steps so far; each step reads the weights once.
    package var steps: Int
    /// The tokens of all steps.
    package var tokens: Int
    /// The tokens whose logits were wanted; each yields at most one token of an answer.
    package var answered: Int
  }

  /// Parses the bytes of a board into its lanes and description; nil if they are not a board.
  package static func read(_ bytes: [UInt8]) -> (lanes: [Lane], description: [UInt8])? {
    func word(_ offset: Int) -> Int? { bytes.integer(at: offset, count: 8) }
    guard let found = word(0), found == Int(magic), let laneCount = word(8), let length = word(16), laneCount <= 4096 else {
      return nil
    }
    let start = lineByteCount * (1 + laneCount)
    guard length <= bytes.count - start else { return nil }
    var lanes: [Lane] = []
    for lane in 1...max(laneCount, 1) where lane <= laneCount {
      guard let steps = word(lineByteCount * lane), let tokens = word(lineByteCount * lane + 8),
        let answered = word(lineByteCount * lane + 16)
      else { return nil }
      lanes.append(Lane(steps: steps, tokens: tokens, answered: answered))
    }
    return (lanes, Array(bytes[start..<start + length]))
  }
}

/// A model's step counter, visible to other processes.
///
/// - Invariant: `words` are three words of `board` that only the owner of this value writes, from one thread at a time.
@safe package struct StepCounter: @unchecked Sendable {
  private let words: UnsafeMutablePointer<Atomic<UInt64>>
  private let board: RunBoard

  init(_ words: UnsafeMutablePointer<Atomic<UInt64>>, on board: RunBoard) {
    unsafe self.words = words
    self.board = board
  }

  /// Counts a step of `tokens` tokens, of which the logits of `answered` were wanted. There is one writer, so no lock is needed.
  package func add(tokens: Int, answered: Int) {
    unsafe Self.add(1, to: words)
    unsafe Self.add(tokens, to: words + 1)
    unsafe Self.add(answered, to: words + 2)
  }

  private static func add(_ count: Int, to word: UnsafeMutablePointer<Atomic<UInt64>>) {
    let before = unsafe word.pointee.load(ordering: .relaxed)
    unsafe word.pointee.store(before &+ UInt64(count), ordering: .relaxed)
  }
}
