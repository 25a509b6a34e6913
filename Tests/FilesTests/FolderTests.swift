// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import TestSupport
import Testing

@testable import Files

@Suite("Files and folders")
struct FolderTests {
  private typealias TestFolder = Folder<FileError>

  @Test("Removing a folder removes its content, but nothing that a link in it leads to")
  func removing() throws {
    try withTemporaryFolder { path in
      let folder = try TestFolder(path)
      try folder.makeFolder("precious", permissions: [.ownerReadWriteExecute])
      try folder.folder("precious").write([1, 2, 3], to: "file")
      try folder.makeFolder("tree", permissions: [.ownerReadWriteExecute])
      let tree = try folder.folder("tree")
      try tree.makeFolder("deep", permissions: [.ownerReadWriteExecute])
      try tree.folder("deep").write([], to: "file")
      for link in ["tree/link", "tree/deep/link", "link"] {
        try FileManager.default.createSymbolicLink(atPath: path + "/" + link, withDestinationPath: path + "/precious")
      }
      try folder.remove("tree")
      try folder.remove("link")
      try folder.remove("none")
      #expect(try folder.names() == ["precious"])
      #expect(try folder.folder("precious").names() == ["file"])
    }
  }

  @Test(
    "A pipe, a device, a socket, a folder or a link in place of a file is refused without waiting",
    arguments: [FileUse.reading, .updating])
  func irregular(use: FileUse) throws {
    try withTemporaryFolder { path in
      let folder = try TestFolder(path)
      #expect(mkfifo(path + "/pipe", 0o600) == 0)
      try FileManager.default.createSymbolicLink(atPath: path + "/link", withDestinationPath: path + "/target")
      try folder.write([7], to: "target")
      let pipe = #expect(throws: FileError.self) { _ = try folder.file("pipe", for: use) }
      #expect(pipe == .notRegular(path: path + "/pipe"))
      let link = #expect(throws: FileError.self) { _ = try folder.file("link", for: use) }
      #expect(link == .link(path: path + "/link"))
      #expect(throws: FileError.self) { _ = try File<FileError>("/dev/null", for: use) }
      #expect(throws: FileError.self) { _ = try folder.file(".", for: use) }
      #expect(throws: FileError.link(path: path + "/link")) { _ = try folder.folder("link") }
      #expect(throws: FileError.self) { _ = try folder.file("target", for: .creating) }
    }
  }

  @Test("Names that are not UTF-8 can be listed and opened")
  func bytes() throws {
    try withTemporaryFolder { path in
      let folder = try TestFolder(path)
      let name = String(pathBytes: [0x61, 0xff])
      try folder.write([1], to: name)
      #expect(try folder.names() == [name])
      #expect(try File<FileError>(path + "/" + name).contents(limit: 10) == [1])
      #expect("\(FileError.notRegular(path: name))".hasPrefix("a\\xff: "))
    }
  }

  @Test("Only one process at a time gets a lock, and a lock on a file that was removed is noticed")
  func locks() throws {
    try withTemporaryFolder { path in
      let folder = try TestFolder(path)
      func state(_ attempt: consuming FileLock.Attempt) -> String {
        switch consume attempt {
        case .taken: "taken"
        case .held: "held"
        case .replaced: "replaced"
        }
      }
      guard case .taken(let lock) = try FileLock.onFile("lock", in: folder) else {
        Issue.record("the lock is not free")
        return
      }
      #expect(state(try FileLock.onFile("lock", in: folder)) == "held")
      _ = consume lock
      #expect(state(try FileLock.onFile("lock", in: folder)) == "taken")
      try folder.makeFolder("folder", permissions: [.ownerReadWriteExecute])
      #expect(state(try FileLock.onFolder("folder", in: folder)) == "taken")
    }
  }

  @Test("A file is read to its end, and no further", arguments: [0, 1, 4095, 4096, 4097, 1 << 20])
  func reading(count: Int) throws {
    try withTemporaryFolder { path in
      let folder = try TestFolder(path)
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
      try folder.write(bytes, to: "file")
      let file = try folder.file("file")
      #expect(try file.contents(limit: count) == bytes)
      if count > 0 { #expect(throws: FileError.self) { _ = try file.contents(limit: count - 1) } }
      var buffer = [UInt8](repeating: 0, count: count + 1)
      #expect(throws: FileError.cutShort(path: path + "/file", end: count)) {
        try buffer.withUnsafeMutableBytes { try file.read(0, into: $0) }
      }
      let pages = UnsafeMutableRawBufferPointer.allocate(byteCount: count.roundedUp(toMultipleOf: 4096) + 4096, alignment: 4096)
      defer { pages.deallocate() }
      let base = try #require(pages.baseAddress)
      try UncachedFile<FileError>(path + "/file").read(0..<count, into: base)
      #expect(pages[..<count].elementsEqual(bytes))
    }
  }

  @Test("Numbers are rounded up, divided into pieces, searched and tested for powers of two correctly", arguments: 0..<70)
  func numbers(number: Int) {
    #expect(number.roundedUp(toMultipleOf: 16) % 16 == 0 && number.roundedUp(toMultipleOf: 16) - number < 16)
    #expect(number.pieceCount(of: 16) == number.roundedUp(toMultipleOf: 16) / 16)
    #expect((0..<64).partitioningIndex { $0 >= number } == min(number, 64))
    #expect(number.isPowerOfTwo == [1, 2, 4, 8, 16, 32, 64].contains(number))
  }
}
