// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// A rule of the GGUF format that a file breaks.
///
/// The rules are those of ggml's `docs/gguf.md` and of llama.cpp's reader (`ggml/src/gguf.cpp`), plus a few that keep names usable.
public enum GGUFDefect: Hashable, Sendable {
  /// The file does not begin with the letters GGUF.
  case magic
  /// The file has a version that this reader does not support.
  case version(UInt32)
  /// The file was written for big-endian machines.
  case bigEndian
  /// A count or a length is negative.
  case negative(what: String, value: Int64)
  /// A count or a length is more than `limit`, the most that `holder` allows.
  case tooMany(what: String, value: Int64, limit: Int, holder: Holder)
  /// The header is longer than `limit` bytes, because of `what`.
  case longHeader(what: String, limit: Int)
  /// A key's name is empty.
  case emptyKey(index: Int)
  /// A key occurs a second time.
  case duplicateKey(String)
  /// The number of a value's type is unknown.
  case valueType(what: String, number: UInt32)
  /// An array holds arrays.
  case nestedArray(key: String)
  /// A name contains a zero byte.
  case nul(what: String)
  /// A name is not UTF-8.
  case notUTF8(what: String)
  /// `general.alignment` is not an unsigned 32-bit integer.
  case alignmentType(MetadataType)
  /// `general.alignment` is not a power of two.
  case alignment(UInt32)
  /// A tensor's name is empty.
  case emptyTensorName(index: Int)
  /// A tensor's name is too long.
  case longTensorName(index: Int, byteCount: Int)
  /// A tensor's name occurs a second time.
  case duplicateTensor(String)
  /// A tensor has more than four dimensions.
  case dimensionCount(tensor: String, count: UInt32)
  /// A dimension of a tensor is negative.
  case dimension(tensor: String, index: Int, size: Int64)
  /// A tensor's size, or the end of its data, does not fit in 63 bits.
  case overflow(tensor: String)
  /// The number of a tensor's weight type was removed from ggml or never belonged to it.
  case weightType(tensor: String, number: UInt32)
  /// A row of a tensor is not a whole number of blocks.
  case brokenRow(tensor: String, elements: Int, type: WeightType)
  /// The rows of a tensor are not a multiple of the group size that its type interleaves.
  case brokenGroup(tensor: String, rows: Int, type: WeightType)
  /// A tensor's data does not directly follow the data of the tensor before it, which ends at `end`.
  case misplaced(tensor: String, offset: Int, end: Int, how: Misplacement)

  /// What bounds a count.
  public enum Holder: Hashable, Sendable {
    /// The file has only this many bytes.
    case file(byteCount: Int)
    /// The limit belongs to the format or to this reader.
    case format
  }

  /// How a tensor's offset is wrong.
  public enum Misplacement: Hashable, Sendable {
    case beforePredecessor
    case overlapping
    case unaligned(alignment: Int)
    case gap
  }
}

extension GGUFDefect {
  /// What is wrong.
  public var problem: String {
    switch self {
    case .magic: "this is not a GGUF file: it does not begin with the letters GGUF"
    case .version(let version): "GGUF version \(version) is not supported, only 2 and 3 are"
    case .bigEndian: "this GGUF is for big-endian machines"
    case .negative(let what, let value): "\(what) is negative (\(value))"
    case .tooMany(let what, let value, let limit, .file(let byteCount)):
      "\(what) is \(value), more than the \(limit) that a file of \(byteCount) bytes can hold"
    case .tooMany(let what, let value, let limit, .format): "\(what) is \(value), more than the limit of \(limit)"
    case .longHeader(let what, let limit): "\(what) makes the header longer than \(limit >> 20) MiB"
    case .emptyKey(let index): "the name of key \(index) is empty"
    case .duplicateKey(let key): "the key \(key.quoted) occurs twice"
    case .valueType(let what, let number): "\(what) has the unknown type \(Int32(bitPattern: number))"
    case .nestedArray(let key): "the key \(key.quoted) is an array of arrays"
    case .nul(let what): "\(what) contains a NUL"
    case .notUTF8(let what): "\(what) is not UTF-8"
    case .alignmentType(let type): "general.alignment is of type \(type), not uint32"
    case .alignment(let value): "general.alignment is \(value), which is not a power of two"
    case .emptyTensorName(let index): "the name of tensor \(index) is empty"
    case .longTensorName(let index, let count):
      "the name of tensor \(index) has \(count) bytes, more than \(GGUFLimits.nameByteCount)"
    case .duplicateTensor(let name): "the tensor \(name.quoted) occurs twice"
    case .dimensionCount(let tensor, let count):
      "the tensor \(tensor.quoted) has \(count) dimensions, more than \(GGUFLimits.dimensions)"
    case .dimension(let tensor, let index, let size): "dimension \(index) of the tensor \(tensor.quoted) is \(size)"
    case .overflow(let tensor): "the tensor \(tensor.quoted) is larger than 2^62 bytes"
    case .weightType(let tensor, let number): "the tensor \(tensor.quoted) is of \(WeightType.describe(unsupported: number))"
    case .brokenRow(let tensor, let elements, let type):
      "a row of the tensor \(tensor.quoted) has \(elements) elements, which is not a multiple of the \(type.blockElements) of a \(type.name) block"
    case .brokenGroup(let tensor, let rows, let type):
      "the tensor \(tensor.quoted) has \(rows) rows, which is not a multiple of the \(type.groupRows) that \(type.name) interleaves"
    case .misplaced(let tensor, let offset, let end, let how):
      switch how {
      case .beforePredecessor: "the data of \(tensor.quoted) at offset \(offset) lies before that of the tensor listed before it"
      case .overlapping: "the data of \(tensor.quoted) at offset \(offset) overlaps the tensor before it, which ends at \(end)"
      case .unaligned(let alignment): "the data of \(tensor.quoted) at offset \(offset) is not aligned to \(alignment)"
      case .gap where end == 0: "the data of \(tensor.quoted) at offset \(offset) does not begin at 0, as the first tensor's must"
      case .gap: "the data of \(tensor.quoted) at offset \(offset) leaves a gap after the tensor before it, which ends at \(end)"
      }
    }
  }

  /// What to do about it.
  public var advice: String {
    switch self {
    case .magic: "give a .gguf file, or download this one again"
    case .version(0), .negative, .valueType, .dimension: "the file is damaged: download it again"
    case .tooMany(_, _, _, .file): "the file is cut short or damaged: download it again"
    case .version(1), .alignment, .alignmentType, .nestedArray, .emptyKey, .duplicateKey, .nul, .notUTF8, .brokenRow, .brokenGroup,
      .misplaced,
      .emptyTensorName, .longTensorName, .duplicateTensor, .dimensionCount:
      "convert the model again with a current converter"
    case .version: "a newer version of this program may read it"
    case .bigEndian: "convert the model again for little-endian machines"
    case .tooMany(_, _, _, .format), .longHeader, .overflow: "the file is damaged, or not a model: download it again"
    case .weightType(_, let number): WeightType.advice(unsupported: number)
    }
  }
}
