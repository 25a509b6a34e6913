// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Dispatch
import Files
import Glibc
import Inference
import PackFormat
import SystemPackage
import Synchronization

/// Computed prefixes of prompts in the files of a folder, where they outlive the server.
///
/// Any thread may use it. A file is written under a temporary name and then renamed, and checked when it is read. Several servers
/// may share one folder: a file that another server has removed is simply missing, which is not an error.
public final class PrefixStore: Sendable {
  /// A file whose header has been read.
  private struct Record {
    let tokens: [Int32]
    let stateLengths: [Int]

    func usable(for prompt: [Int32]) -> Int {
      let known = tokens.countInCommon(with: prompt)
      return stateLengths.isEmpty ? known : stateLengths.last { $0 <= known } ?? 0
    }
  }

  private struct State {
    var records: [String: Record] = [:]
    /// Files that wait to be written.
    var waiting: Set<String> = []
    /// The last error of writing, so that it is logged only once.
    var failure: FileError?
  }

  private let folder: Folder<FileError>
  private let limit: Int
  private let log: @Sendable (String) -> Void
  private let pack: Digest
  private let state = Mutex(State())
  private let reading = DispatchQueue(label: "packserve.cache.reading")
  private let writing = DispatchQueue(label: "packserve.cache.writing")
  private let writtenCount = Atomic<Int>(0)
  private let damagedCount = Atomic<Int>(0)

  /// The largest number of files that wait to be written; their bytes are still in memory.
  private static let mostWaiting = 2

  /// Opens the folder at `path`. If there is none, creates one that only its owner can read, because it will contain prompts.
  ///
  /// - Parameters:
  ///   - limit: The largest number of bytes of all files.
  ///   - pack: The digest of the pack.
  ///   - log: Called with lines for the log.
  public init(_ path: String, limit: Int, pack: Digest, log: @escaping @Sendable (String) -> Void) throws(FileError) {
    if try Stat.find(path, failingAs: FileError.self) == nil {
      let destination = try Destination<FileError>(path)
      try destination.folder.makeFolder(destination.name, permissions: [.ownerReadWriteExecute])
    }
    folder = try Folder(path)
    if let refusal = folder.writeRefusal { throw .system(path: path, operation: .writeThere, refusal) }
    (self.limit, self.pack, self.log) = (limit, pack, log)
  }

  /// The number of files written.
  public var written: Int { writtenCount.load(ordering: .relaxed) }
  /// The number of files removed because they were damaged.
  public var damaged: Int { damagedCount.load(ordering: .relaxed) }
  /// The number of files that this pack can use.
  public var count: Int { state.withLock { $0.records.count } }

  // MARK: Finding

  /// Reads the headers of all files, and removes damaged files and those that killed servers left unfinished.
  public func scan(for model: Model) {
    let layout = model.stateLayout
    for name in (try? folder.names()) ?? [] {
      if PrefixHeader.isName(name) {
        do throws(PrefixDefect) {
          let header = try header(name)
          if header.pack == pack, header.layout == layout, header.tokens.count <= model.contextLength {
            state.withLock { $0.records[name] = Record(tokens: header.tokens, stateLengths: header.stateLengths) }
          }
        } catch { drop(name, error) }
      } else if let process = Self.writer(ofPart: name), Self.hasEnded(process) {
        try? folder.remove(name)
      }
    }
  }

  /// Whether a process that was writing here has ended. In a container a process may get the same id again: this one has not
  /// written anything yet, so a file with its id is an old one.
  private static func hasEnded(_ process: pid_t) -> Bool { process == getpid() || kill(process, 0) != 0 && errno == ESRCH }

  /// Returns the id of the process that writes a file under a temporary name: `.NAME.PROCESS.NUMBER`.
  private static func writer(ofPart name: String) -> pid_t? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 5, parts[0].isEmpty, PrefixHeader.isName("\(parts[1]).\(parts[2])") else { return nil }
    return pid_t(parts[3])
  }

  private func header(_ name: String) throws(PrefixDefect) -> PrefixHeader {
    var bytes: [UInt8] = []
    let size = try readFront(of: name, PrefixHeader.unit, into: &bytes)
    _ = try readFront(of: name, try PrefixHeader.byteCount(bytes, fileByteCount: size), into: &bytes)
    return try PrefixHeader(bytes, fileByteCount: size)
  }

  /// Reads a file's first `count` bytes; returns its size.
  private func readFront(of name: String, _ count: Int, into bytes: inout [UInt8]) throws(PrefixDefect) -> Int {
    do throws(FileError) {
      let file = try folder.file(name)
      try file.extend(&bytes, to: count)
      return try file.byteCount()
    } catch { throw .unreadable(error) }
  }

  /// Returns the file that saves the most tokens of a prompt, and how many; nil if none saves more than `least`.
  func best(for prompt: [Int32], moreThan least: Int) -> (name: String, usable: Int)? {
    state.withLock { state in
      var best = (name: "", usable: least)
      for (name, record) in state.records {
        let usable = record.usable(for: prompt)
        if usable > best.usable { best = (name, usable) }
      }
      return best.name.isEmpty ? nil : best
    }
  }

  /// Returns the number of tokens of a file.
  func tokenCount(_ name: String) -> Int { state.withLock { $0.records[name]?.tokens.count ?? 0 } }

  /// Forgets a file, and removes it if it is damaged.
  private func drop(_ name: String, _ defect: PrefixDefect) {
    state.withLock { _ = $0.records.removeValue(forKey: name) }
    switch defect {
    // Another server has removed it.
    case .unreadable(.system(_, _, .noSuchFileOrDirectory)): return
    case .unreadable(let error): return log("\(error); ignored")
    case .damaged: damagedCount.add(1, ordering: .relaxed)
    }
    do throws(FileError) {
      try folder.remove(name)
      log("\(folder.path(name)): \(defect); removed")
    } catch { log("\(folder.path(name)): \(defect); it cannot be removed: \(error)") }
  }

  // MARK: Reading

  /// Reads a file on another thread.
  ///
  /// - Parameter body: Called on that thread with the prefix; nil if the file cannot be used, or if there is too little memory.
  func load(_ name: String, for model: Model, _ body: @escaping @Sendable (PrefixCache.Prefix?) -> Void) {
    // Making an empty copy reads only properties of the model that never change. It uses the model's threads, which run one thing
    // at a time.
    nonisolated(unsafe) let model = model
    reading.async { [self] in
      do throws(PrefixDefect) { body(try unsafe read(name, model)) } catch {
        drop(name, error)
        body(nil)
      }
    }
  }

  private func read(_ name: String, _ model: Model) throws(PrefixDefect) -> PrefixCache.Prefix? {
    let header = try header(name)
    guard header.pack == pack, header.layout == model.stateLayout, header.name == name,
      let counts = try? model.sectionByteCounts(length: header.tokens.count, stateCount: header.stateLengths.count),
      header.sections.map(\.byteCount) == counts
    else { throw .damaged("its header does not match its name") }
    let copy: SequenceCopy
    do throws(ModelError) {
      copy = try model.emptyCopy(length: header.tokens.count, stateLengths: header.stateLengths)
    } catch {
      log("\(folder.path(name)): not read: \(error)")
      return nil
    }
    do throws(FileError) {
      let file = try UncachedFile<FileError>(folder.path(name))
      for (team, section) in header.sections.enumerated() {
        guard let base = unsafe copy.section(team).baseAddress else { continue }
        // A section begins at a multiple of the page size, and the memory consists of whole pages.
        try unsafe file.read(section.offset..<section.offset + section.byteCount, into: base)
      }
    } catch .cutShort { throw .damaged("its end is missing") } catch { throw .unreadable(error) }
    for (team, section) in header.sections.enumerated() {
      guard unsafe Digest(of: UnsafeRawBufferPointer(copy.section(team)).bytes) == section.digest else {
        throw .damaged("checksum mismatch")
      }
    }
    folder.touch(name)
    return PrefixCache.Prefix(tokens: header.tokens, copy: copy)
  }

  // MARK: Writing

  /// Writes a sequence to a file on another thread, unless the file exists.
  ///
  /// - Returns: False if too many files are already waiting.
  func save(_ tokens: [Int32], _ copy: SequenceCopy, layout: Digest) -> Bool {
    let header = PrefixHeader(pack: pack, layout: layout, tokens: tokens, stateLengths: copy.stateLengths)
    let name = header.name
    let (isThere, isWanted) = state.withLock { state in
      if state.records[name] != nil { return (true, false) }
      return (false, state.waiting.count < Self.mostWaiting && state.waiting.insert(name).inserted)
    }
    if isThere { folder.touch(name) }
    guard isWanted else { return isThere }
    writing.async { [self] in
      do throws(FileError) {
        try write(header, name, copy)
        state.withLock { $0.failure = nil }
      } catch {
        // Otherwise the same error would be logged for every file until writing works again.
        let isNew = state.withLock { state in
          defer { state.failure = error }
          return state.failure == nil
        }
        if isNew { log("\(error); prefixes are not kept on disk while this lasts") }
      }
      state.withLock { _ = $0.waiting.remove(name) }
    }
    return true
  }

  /// Waits until all files are written.
  func finish() { writing.sync {} }

  private func write(_ header: PrefixHeader, _ name: String, _ copy: SequenceCopy) throws(FileError) {
    var header = header
    let none = PrefixHeader.Section(offset: 0, byteCount: 0, digest: pack)
    header.sections = Array(repeating: none, count: copy.sectionCount)
    var end = header.byteCount
    for team in header.sections.indices {
      let bytes = unsafe UnsafeRawBufferPointer(copy.section(team))
      header.sections[team] = PrefixHeader.Section(offset: end, byteCount: bytes.count, digest: unsafe Digest(of: bytes.bytes))
      end += bytes.count.roundedUp(toMultipleOf: PrefixHeader.unit)
    }
    guard end <= limit else { return }
    try makeRoom(end)
    var file = try WholeFile<FileError>(folder.path(name))
    let bytes = header.bytes
    try unsafe bytes.span.bytes.withUnsafeBytes { (buffer) throws(FileError) in try unsafe file.append(buffer) }
    for team in header.sections.indices {
      let bytes = unsafe copy.section(team)
      // The memory consists of whole pages.
      try unsafe file.append(
        UnsafeRawBufferPointer(start: bytes.baseAddress, count: bytes.count.roundedUp(toMultipleOf: PrefixHeader.unit)))
    }
    try file.commit()
    writtenCount.add(1, ordering: .relaxed)
    let shorter = state.withLock { state in
      defer { state.records[name] = Record(tokens: header.tokens, stateLengths: header.stateLengths) }
      // A longer prefix makes its own beginnings unnecessary, unless they have states that it lacks.
      return copy.hasAllPositions ? state.records.filter { header.tokens.starts(with: $0.value.tokens) }.map(\.key) : []
    }
    for name in shorter { try remove(name) }
  }

  /// Removes the least recently used files until a file of `byteCount` bytes fits.
  private func makeRoom(_ byteCount: Int) throws(FileError) {
    var files: [(name: String, byteCount: Int, used: [Int])] = []
    for name in try folder.names() where PrefixHeader.isName(name) {
      guard let status = try folder.status(name) else { continue }
      let time = status.rawValue.st_mtim
      files.append((name, Int(status.size), [time.tv_sec, time.tv_nsec]))
    }
    files.sort { $0.used.lexicographicallyPrecedes($1.used) }
    var sum = files.reduce(byteCount) { $0 + $1.byteCount }
    for file in files where sum > limit {
      try remove(file.name)
      sum -= file.byteCount
    }
  }

  private func remove(_ name: String) throws(FileError) {
    state.withLock { _ = $0.records.removeValue(forKey: name) }
    try folder.remove(name)
  }
}
