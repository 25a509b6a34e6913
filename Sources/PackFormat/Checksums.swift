// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The content of `checksums.xxh3`: the digest of every other file of the pack, in the format that `xxhsum -c` reads.
public struct Checksums: Sendable, Hashable {
  /// The file's name within a pack.
  public static let fileName = "checksums.xxh3"
  /// The largest size in bytes: a line of at most 290 bytes for each of at most 1024 blobs and three other files.
  static let byteCountLimit = 290 * 1027

  /// Digests by file name.
  public private(set) var digests: [String: Digest]

  /// A list of digests.
  public init(_ digests: [String: Digest]) { self.digests = digests }

  /// The text of the file: one line per file, sorted by name.
  public var text: String {
    digests.sorted { $0.key < $1.key }.map { "\($0.value.hex)  \($0.key)\n" }.joined()
  }

  /// Parses the text of the file; errors call it `file`.
  public init(text: String, file: String) throws(PackError) {
    digests = [:]
    for (index, line) in text.split(separator: "\n").enumerated() {
      let fields = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
      guard fields.count == 2, let digest = Digest(hex: String(fields[0])), fields[1].hasPrefix(" ") else {
        throw .invalid(file: file, problem: "line \(index + 1) is not a digest of 32 digits, two spaces and a file name")
      }
      guard digests.updateValue(digest, forKey: String(fields[1].dropFirst())) == nil else {
        throw .invalid(file: file, problem: "line \(index + 1) names \(fields[1].dropFirst()) a second time")
      }
    }
  }
}
