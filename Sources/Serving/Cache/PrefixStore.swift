// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Dispatch
import Files
import Glibc
import Inference
import PackFormat
import SystemPackage
import Synchronization

/// Prefixes of prompts that were computed, in the files of a folder: they outlive the server.
///
/// Any thread may use it. Files are written beside and renamed, and checked when they are read. Several servers may use one folder; what
/// one of them removes is missing to the others, and no error.
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
    /// What could not be written last, so that it is said once.
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

  /// Files that wait to be written at most: their bytes are in memory, too.
  private static let mostWaiting = 2

  /// Opens the folder at `path`, which is made if it is not there, for nobody else to read: prompts are in it.
  ///
  /// - Parameters:
  ///   - limit: Bytes that its files may take.
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

  /// Files that were written.
  public var written: Int { writtenCount.load(ordering: .relaxed) }
  /// Files that were removed because they were damaged.
  public var damaged: Int { damagedCount.load(ordering: .relaxed) }
  /// Files that this pack can use.
  public var count: Int { state.withLock { $0.records.count } }

  // MARK: Finding

  /// Reads the headers of all files, removes those that are damaged, and what killed servers left half written.
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

  /// Whether a process that wrote here is no more. A container's processes may get the same number again and again: this one has not
  /// written yet.
  private static func hasEnded(_ process: pid_t) -> Bool { process == getpid() || kill(process, 0) != 0 && errno == ESRCH }

  /// The process that writes a file which has not got its name yet: `.NAME.PROCESS.NUMBER`.
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

  /// The file that spares most of a prompt's tokens, and how many; nil if none spares more than `least`.
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

  /// Tokens of a file.
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

  /// Reads a file on a thread of its own.
  ///
  /// - Parameter body: Called there with what was in it; nil if it cannot be used, or there is too little memory.
  func load(_ name: String, for model: Model, _ body: @escaping @Sendable (PrefixCache.Prefix?) -> Void) {
    // Making room for a copy reads only what never changes of a model; its threads run one thing at a time.
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
        // A section begins at a page, and so does the memory, which has whole pages.
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

  /// Writes a sequence to a file, on a thread of its own, unless it is there.
  ///
  /// - Returns: False if too many wait already.
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
        // Until it works again, the same would be said of every file.
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
      // Its memory has whole pages.
      try unsafe file.append(
        UnsafeRawBufferPointer(start: bytes.baseAddress, count: bytes.count.roundedUp(toMultipleOf: PrefixHeader.unit)))
    }
    try file.commit()
    writtenCount.add(1, ordering: .relaxed)
    let shorter = state.withLock { state in
      defer { state.records[name] = Record(tokens: header.tokens, stateLengths: header.stateLengths) }
      // What goes on after another prefix has all that the other has, but for the states on the way.
      return copy.hasAllPositions ? state.records.filter { header.tokens.starts(with: $0.value.tokens) }.map(\.key) : []
    }
    for name in shorter { try remove(name) }
  }

  /// Removes the files that were used longest ago, so that one of `byteCount` bytes fits.
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
