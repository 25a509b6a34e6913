// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// The search for the parts of a split model, given one of them.
struct SplitModel {
  private let name: SplitName

  /// Identifies the model that `part` belongs to; nil if `part` is not part of a split model.
  init?(of part: GGUFPart) throws(GGUFError) {
    let keys = part.header.metadata
    guard let count = keys.integer(SplitKey.count), count > 1 else { return nil }
    guard count <= SplitName.maximumCount else {
      throw .split(file: part.path, defect: .tooManyParts(count: count, limit: SplitName.maximumCount))
    }
    guard let number = keys.integer(SplitKey.number), (0..<count).contains(number) else {
      throw .split(file: part.path, defect: .number(count: count))
    }
    guard let name = SplitName(path: part.path) else {
      throw .split(file: part.path, defect: .name(number: number, suffix: SplitName.suffix(number, of: count)))
    }
    self.name = name
    try check(part, number: name.number)
  }

  /// Returns all parts in order; `given` is the part that the search began with.
  func parts(given: GGUFPart) throws(GGUFError) -> [GGUFPart] {
    var parts: [GGUFPart] = []
    var headerByteCount = 0
    for number in 0..<name.count {
      let part = number == name.number ? given : try open(number, siblingAlignment: parts.first?.header.declaredAlignment)
      try check(part, number: number)
      headerByteCount += min(part.header.dataOffset, part.byteCount)
      guard headerByteCount <= GGUFLimits.paddedHeaderByteCount else {
        throw .split(file: part.path, defect: .longHeaders(number: number, limit: GGUFLimits.paddedHeaderByteCount))
      }
      parts.append(part)
    }
    try checkTensors(of: parts)
    return parts
  }

  private func open(_ number: Int, siblingAlignment: Int?) throws(GGUFError) -> GGUFPart {
    let path = name.path(number)
    do throws(GGUFError) {
      return try GGUFPart.open(path, siblingAlignment: siblingAlignment)
    } catch .file(.system(_, _, .noSuchFileOrDirectory)) {
      throw .split(file: path, defect: .missing(number: number, count: name.count))
    }
  }

  /// Refuses a file whose own keys do not say that it is part `number` of this model.
  private func check(_ part: GGUFPart, number: Int) throws(GGUFError) {
    let keys = part.header.metadata
    guard let foundCount = keys.integer(SplitKey.count), let foundNumber = keys.integer(SplitKey.number) else {
      throw .split(file: part.path, defect: .noPart(number: number, count: name.count))
    }
    guard foundCount == name.count, foundNumber == number else {
      throw .split(
        file: part.path,
        defect: .swapped(number: number, count: name.count, foundNumber: foundNumber, foundCount: foundCount))
    }
  }

  /// Refuses parts whose tensors do not add up to one model.
  private func checkTensors(of parts: [GGUFPart]) throws(GGUFError) {
    let promised = parts.map { $0.header.metadata.integer(SplitKey.tensorCount) }
    if let first = promised.first.flatMap({ $0 }) {
      for (number, count) in promised.enumerated() {
        guard let count, count != first else { continue }
        throw .split(file: parts[number].path, defect: .foreign(number: number, promised: count, firstPromised: first))
      }
    }
    var owners: [String: Int] = [:]
    for (number, part) in parts.enumerated() {
      for tensor in part.header.tensors {
        guard let owner = owners.updateValue(number, forKey: tensor.name) else { continue }
        throw .split(file: part.path, defect: .duplicateTensor(tensor.name, firstPart: owner))
      }
    }
    if let count = promised.first.flatMap({ $0 }), count != owners.count {
      throw .split(file: parts[0].path, defect: .tensorCount(promised: count, found: owners.count))
    }
  }
}
