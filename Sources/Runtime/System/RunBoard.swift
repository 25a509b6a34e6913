// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Files
import Glibc
import Synchronization
import SystemPackage

/// Where a process shows others how far its models are: a file in memory without a name in any folder, which others open by its
/// descriptor under /proc. So only those who may look into the process can read it, and nothing is left of it however the process ends.
///
/// The file, in words of 64 bits: 8 letters by which it is known, the number of lanes, the bytes of the description; from byte 64 on,
/// 64 bytes for each lane, a model, with its steps, its tokens, and of those the ones whose logits were wanted; then the description.
///
/// - Invariant: `base` is mapped from `init` to the end, shared and writable, and as long as the head, the lanes and the description.
@safe package final class RunBoard: @unchecked Sendable {
  /// What the links to the descriptor are called in /proc.
  package static let name = "ggufpack-run"
  /// The letters ggufrun1.
  private static let magic = UInt64(bigEndian: 0x6767_7566_7275_6e31)
  private static let lineByteCount = 64

  private let base: UnsafeMutableRawPointer
  private let byteCount: Int
  private let file: CInt

  /// Makes the file. Nil if the kernel refuses it: then nothing is shown, and nothing else changes.
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
    // The letters come last, so that a reader finds a whole board or none.
    unsafe base.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(Self.magic, ordering: .releasing)
  }

  deinit {
    unsafe munmap(base, byteCount)
    close(file)
  }

  /// Where the model of a lane counts its steps.
  package func counter(ofLane lane: Int) -> StepCounter {
    let start = unsafe base + Self.lineByteCount * (1 + lane)
    return unsafe StepCounter(start.bindMemory(to: Atomic<UInt64>.self, capacity: 3), on: self)
  }

  // MARK: Reading another's

  /// What a lane had done when it was read.
  package struct Lane: Hashable, Sendable {
    /// Steps so far; one reads the weights once.
    package var steps: Int
    /// Tokens of all steps.
    package var tokens: Int
    /// Of those, the ones whose logits were wanted: each yields at most one token of an answer.
    package var answered: Int
  }

  /// The lanes and the description in the bytes of a board; nil if they are not those of one.
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

/// Where a model counts its steps for other processes.
///
/// - Invariant: `words` are three words of `board` that only the owner of this value writes, one thread at a time.
@safe package struct StepCounter: @unchecked Sendable {
  private let words: UnsafeMutablePointer<Atomic<UInt64>>
  private let board: RunBoard

  init(_ words: UnsafeMutablePointer<Atomic<UInt64>>, on board: RunBoard) {
    unsafe self.words = words
    self.board = board
  }

  /// Counts a step of so many tokens, of which the logits of `answered` were wanted. There is one writer, so nothing has to be locked.
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
