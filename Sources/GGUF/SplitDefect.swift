// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files

/// The reason why the files of a split model do not form one model. Parts count from 0 here, and from 1 in messages and file names.
public enum SplitDefect: Hashable, Sendable {
  /// `split.no` is missing or not below `split.count`.
  case number(count: Int)
  /// There are more parts than file names can number.
  case tooManyParts(count: Int, limit: Int)
  /// The file is a part, but its name does not say so.
  case name(number: Int, suffix: String)
  /// The file of a part does not exist.
  case missing(number: Int, count: Int)
  /// A file's name says that it is one part, its keys say that it is another.
  case swapped(number: Int, count: Int, foundNumber: Int, foundCount: Int)
  /// A file's name says that it is a part, but it lacks the keys of a part.
  case noPart(number: Int, count: Int)
  /// A tensor is in two parts.
  case duplicateTensor(String, firstPart: Int)
  /// A part states a different total number of tensors than the first part does.
  case foreign(number: Int, promised: Int, firstPromised: Int)
  /// The headers of the parts up to this one are together longer than `limit` bytes.
  case longHeaders(number: Int, limit: Int)
  /// The parts hold a different number of tensors than they state.
  case tensorCount(promised: Int, found: Int)
}

extension SplitDefect {
  /// What is wrong.
  public var problem: String {
    switch self {
    case .number(let count): "this is part of a model split into \(count), but its key \(SplitKey.number) does not say which"
    case .tooManyParts(let count, let limit): "\(SplitKey.count) is \(count), more than the limit of \(limit) parts"
    case .name(let number, let suffix): "this is part \(number + 1) of a split model, so its name must end in \(suffix)"
    case .missing(let number, let count): "part \(number + 1) of \(count) is missing"
    case .swapped(let number, let count, let foundNumber, let foundCount):
      "by its name this is part \(number + 1) of \(count), by its keys part \(foundNumber + 1) of \(foundCount)"
    case .noPart(let number, let count): "by its name this is part \(number + 1) of \(count), but its keys say nothing of a split"
    case .duplicateTensor(let name, let part): "the tensor \(name.quoted) is in part \(part + 1) already"
    case .foreign(let number, let promised, let firstPromised):
      "part \(number + 1) is of a model with \(promised) tensors, part 1 of one with \(firstPromised)"
    case .longHeaders(let number, let limit):
      "the headers of the parts up to part \(number + 1) have more than \(limit >> 20) MiB together"
    case .tensorCount(let promised, let found): "\(SplitKey.tensorCount) promises \(promised) tensors, but the parts hold \(found)"
    }
  }

  /// What to do about it.
  public var advice: String {
    switch self {
    case .number, .tooManyParts, .longHeaders: "split the model again"
    case .name, .swapped: "rename the parts as they were"
    case .missing: "put it beside the others"
    case .noPart, .duplicateTensor, .foreign, .tensorCount: "put the parts of one model, and only those, into the folder"
    }
  }
}
