// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import GGUF

/// Checks a manifest for consistency with itself, with the source's headers and with the files, and refuses every contradiction.
struct PackValidator {
  let path: String
  let manifest: PackManifest
  let checksums: Checksums

  private var manifestPath: String { path.entry(Pack.FileName.manifest) }

  private func invalid(_ problem: String) -> PackError { .invalid(file: manifestPath, problem: problem) }

  private func require(_ condition: Bool, _ problem: @autoclosure () -> String) throws(PackError) {
    guard condition else { throw invalid(problem()) }
  }

  // MARK: Fields

  /// Checks the limits of single fields.
  func checkFields() throws(PackError) {
    let manifest = manifest
    try require((1...1024).contains(manifest.nodeCount), "nodeCount is \(manifest.nodeCount), not 1 to 1024")
    try require(
      manifest.alignment.isPowerOfTwo && (4096...(1 << 30)).contains(manifest.alignment),
      "alignment is \(manifest.alignment), which is not a power of two from 4096 to 2^30")
    try require(
      manifest.chunkByteCount.isPowerOfTwo && (4096...(1 << 30)).contains(manifest.chunkByteCount),
      "chunkByteCount is \(manifest.chunkByteCount), which is not a power of two from 4096 to 2^30")
    try require(!manifest.source.isEmpty, "source lists no file")
    for part in manifest.source {
      try require(Self.isFileName(part.name), "the source name \"\(part.name)\" is not a plain file name")
      try require(part.byteCount >= part.headerByteCount, "the source \(part.name) is smaller than its own header")
    }
    try require(manifest.gapByteCount >= 0, "gapByteCount is negative")
    try require(!manifest.copies || manifest.placement == .mirror, "copies is set, but the placement is not mirror")
    try checkBlobs()
  }

  private func checkBlobs() throws(PackError) {
    let expected: [Int?] = manifest.placement == .mirror && !manifest.copies ? [nil] : (0..<manifest.nodeCount).map { $0 }
    try require(manifest.blobs.map(\.node) == expected, "the blobs are not one for each of \(manifest.nodeCount) nodes")
    var names: Set<String> = [Pack.FileName.manifest, Pack.FileName.header, Pack.FileName.gaps, Checksums.fileName]
    for blob in manifest.blobs {
      try require(Self.isFileName(blob.file), "the blob name \"\(blob.file)\" is not a plain file name")
      try require(names.insert(blob.file).inserted, "the name \(blob.file) is used twice")
      try require(blob.byteCount >= 0, "the size of \(blob.file) is negative")
      let chunks = blob.byteCount.pieceCount(of: manifest.chunkByteCount)
      try require(blob.chunks.count == chunks, "\(blob.file) has \(blob.chunks.count) digests for \(chunks) chunks")
    }
    if manifest.copies, let first = manifest.blobs.first {
      let same = manifest.blobs.allSatisfy {
        $0.byteCount == first.byteCount && $0.digest == first.digest && $0.chunks == first.chunks && $0.storage == first.storage
      }
      try require(same, "the copies of the mirror have different sizes or digests")
    }
  }

  /// Returns whether a name is a plain file name, which cannot lead out of its folder.
  static func isFileName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && name.utf8.count <= 255 && !name.utf8.contains(UInt8(ascii: "/"))
      && !name.utf8.contains { $0 < 0x20 }
  }

  // MARK: Tensors

  /// Checks the tensors against the source's headers, and every slice against its blob and its tensor.
  func check(_ headers: [GGUFHeader]) throws(PackError) {
    let described = headers.indices.flatMap { part in headers[part].tensors.map { (part, $0) } }
    try require(
      described.count == manifest.tensors.count,
      "it lists \(manifest.tensors.count) tensors, but \(Pack.FileName.header) lists \(described.count)")
    for ((part, info), tensor) in zip(described, manifest.tensors) {
      try require(
        tensor.part == part && tensor.name == info.name && tensor.type == info.type && tensor.dimensions == info.dimensions,
        "the tensor \(tensor.name) is not as \(Pack.FileName.header) describes it")
      try check(tensor)
    }
    try checkOverlaps()
    try checkZeros(headers)
  }

  /// Refuses blobs and gaps that stand for far more zeros than can lie between tensors.
  ///
  /// Without this limit, a manifest of a few kilobytes could stand for terabytes.
  private func checkZeros(_ headers: [GGUFHeader]) throws(PackError) {
    var allowed = [Int](repeating: 0, count: manifest.blobs.count)
    for tensor in manifest.tensors {
      for slice in tensor.slices {
        // Allow twice the slice's size, a page per expert, and one alignment unit. None of this overflows, because the blob's size was
        // already compared with the number of its digests.
        let (experts, unit) = (tensor.expertCount, min(manifest.alignment, Self.paddingUnit))
        allowed[slice.blob] += experts * (2 * slice.byteCount + 4096) + unit
      }
    }
    for (index, blob) in manifest.blobs.enumerated() {
      let most = allowed[manifest.placement == .mirror ? 0 : index]
      try require(
        blob.byteCount <= max(most, 4096), "\(blob.file) has \(blob.byteCount) bytes, far more than the tensors in it can take")
    }
    try checkParts(headers)
  }

  /// Checks the files of the source against their headers.
  private func checkParts(_ headers: [GGUFHeader]) throws(PackError) {
    var zeros = 0
    for (part, header) in zip(manifest.source, headers) {
      try require(
        part.headerByteCount == min(header.dataOffset, part.byteCount),
        "the headerByteCount of \(part.name) is \(part.headerByteCount), which is not where its data begins")
      let dataEnd = header.dataByteCount == 0 ? 0 : header.dataOffset + header.dataByteCount
      try require(dataEnd <= part.byteCount, "the source \(part.name) is smaller than its own tensors")
      zeros += part.byteCount - part.headerByteCount - header.tensors.reduce(0) { $0 + 2 * $1.byteCount }
      guard zeros <= PackManifest.impliedZeroLimit || manifest.gapByteCount > 0 else {
        throw invalid("the source \(part.name) has far more bytes than its tensors take")
      }
    }
  }

  /// The largest alignment of slices that zeros may fill, in bytes: a huge page.
  private static let paddingUnit = 2 << 20

  private func check(_ tensor: PackTensor) throws(PackError) {
    guard tensor.hasElements else {
      return try require(tensor.slices.isEmpty, "the tensor \(tensor.name) has slices, but no elements")
    }
    var nextRow = 0
    for slice in tensor.slices {
      let name = "a slice of \(tensor.name)"
      try require(manifest.blobs.indices.contains(slice.blob), "\(name) lies in blob \(slice.blob), which does not exist")
      try require(manifest.placement == .shard || slice.blob == 0, "\(name) lies in blob \(slice.blob) of a mirror")
      try require(slice.rowBegin == nextRow && slice.rowCount > 0, "the slices of \(tensor.name) do not cover its rows in order")
      try require(slice.rowCount <= tensor.rowCount - nextRow, "\(name) reaches beyond its rows")
      nextRow += slice.rowCount
      let since = slice.layout == .gguf ? 1 : InterleavedForm(tensor.type)?.layoutVersion ?? 1
      try require(
        since <= manifest.layoutVersion,
        "\(name) is in layout \(slice.layout.rawValue), which \(tensor.type.name) has since layoutVersion \(since), and layoutVersion is \(manifest.layoutVersion)"
      )
      let bytes = slice.layout.byteCount(type: tensor.type, elements: tensor.rowElements, rows: slice.rowCount)
      // Kernels start at whole row groups, for plain rows too.
      try require(
        slice.rowBegin % Layout.groupRows == 0,
        "\(name) begins at row \(slice.rowBegin), which is not a multiple of \(Layout.groupRows)")
      try require(
        bytes == slice.byteCount,
        "\(name) in layout \(slice.layout.rawValue) has a size or a number of rows that the layout does not allow")
      try require(
        tensor.expertCount == 1 ? slice.expertStride == 0 : slice.expertStride >= slice.byteCount && slice.expertStride % 64 == 0,
        "\(name) has an expert stride of \(slice.expertStride)")
      try require(slice.offset >= 0 && slice.offset % 64 == 0, "\(name) begins at \(slice.offset), which is not a multiple of 64")
      guard let extent = slice.extent(expertCount: tensor.expertCount), extent.upperBound <= manifest.blobs[slice.blob].byteCount
      else { throw invalid("\(name) reaches beyond the end of \(manifest.blobs[slice.blob].file)") }
    }
    try require(nextRow == tensor.rowCount, "the slices of \(tensor.name) cover \(nextRow) of its \(tensor.rowCount) rows")
  }

  private func checkOverlaps() throws(PackError) {
    var extents = [[(range: Range<Int>, tensor: Int)]](repeating: [], count: manifest.blobs.count)
    for (index, tensor) in manifest.tensors.enumerated() {
      for slice in tensor.slices {
        if let range = slice.extent(expertCount: tensor.expertCount) { extents[slice.blob].append((range, index)) }
      }
    }
    for var blob in extents {
      blob.sort { $0.range.lowerBound < $1.range.lowerBound }
      for (first, second) in zip(blob, blob.dropFirst()) {
        try require(
          first.range.upperBound <= second.range.lowerBound,
          "\(manifest.tensors[first.tensor].name) and \(manifest.tensors[second.tensor].name) overlap")
      }
    }
  }

  // MARK: Files

  /// Checks the list of digests and the sizes of the files.
  ///
  /// - Returns: The identities of the files, by name.
  func checkFiles() throws(PackError) -> [String: FileIdentity] {
    var expected: Set<String> = [Pack.FileName.manifest, Pack.FileName.header]
    if manifest.gapByteCount > 0 { expected.insert(Pack.FileName.gaps) }
    for blob in manifest.blobs { expected.insert(blob.file) }
    let listed = Set(checksums.digests.keys)
    if let missing = expected.subtracting(listed).min() {
      throw .invalid(file: path.entry(Checksums.fileName), problem: "it does not list \(missing)")
    }
    if let foreign = listed.subtracting(expected).min() {
      throw .invalid(file: path.entry(Checksums.fileName), problem: "it lists \(foreign), which is not a file of this pack")
    }
    for blob in manifest.blobs where checksums.digests[blob.file] != blob.digest {
      throw .invalid(
        file: path.entry(Checksums.fileName), problem: "its digest for \(blob.file) is not the one in \(Pack.FileName.manifest)")
    }
    var byteCounts: [String: Int] = [:]
    for blob in manifest.blobs { byteCounts[blob.file] = try storedByteCount(of: blob) }
    if manifest.gapByteCount > 0 { byteCounts[Pack.FileName.gaps] = manifest.gapByteCount }
    var identities: [String: FileIdentity] = [:]
    for name in expected.sorted() { identities[name] = try check(name, byteCount: byteCounts[name]) }
    return identities
  }

  private func storedByteCount(of blob: PackManifest.Blob) throws(PackError) -> Int {
    guard let storage = blob.storage else { return blob.byteCount }
    guard let map = BlobStorage.Map(storage), map.byteCount == blob.byteCount else {
      throw invalid("the storage of \(blob.file) does not describe its \(blob.byteCount) bytes")
    }
    return map.storedByteCount
  }

  private func check(_ name: String, byteCount: Int?) throws(PackError) -> FileIdentity {
    let found = try File<PackError>(path.entry(name), links: .followed).status().identity
    guard let byteCount, found.byteCount != byteCount else { return found }
    throw .invalid(file: path.entry(name), problem: "the file has \(found.byteCount) bytes, but the manifest says \(byteCount)")
  }
}
