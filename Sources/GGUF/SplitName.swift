/// Keys that tie the parts of a split model together (llama.cpp's gguf-split).
enum SplitKey {
  /// The part's number, from 0.
  static let number = "split.no"
  /// How many parts there are.
  static let count = "split.count"
  /// Tensors in all parts together.
  static let tensorCount = "split.tensors.count"
}

/// The names of a split model's files: `PREFIX-00001-of-00003.gguf`.
struct SplitName {
  private let prefix: String
  private let count: Int
  /// Which part it was made from, counted from 0.
  let number: Int

  /// The highest count that the five digits of the name can say.
  private static let maximumCount = 99_999

  /// Takes apart the name of `part`, whose keys say that it is one of `count`.
  init(of part: GGUFPart, count: Int) throws(GGUFError) {
    guard count <= Self.maximumCount else {
      throw .split(file: part.path, problem: "\(SplitKey.count) is \(count), more than \(Self.maximumCount) parts are not possible")
    }
    guard let number = part.header.metadata.integer(SplitKey.number), (0..<count).contains(number) else {
      throw .split(
        file: part.path, problem: "this is part of a model split in \(count), but its key \(SplitKey.number) does not say which")
    }
    let suffix = Self.suffix(number, of: count)
    guard part.path.hasSuffix(suffix) else {
      throw .split(
        file: part.path,
        problem:
          "this is part \(number + 1) of a model split in \(count), so its name must end in \(suffix); rename it and its fellows")
    }
    self.prefix = String(part.path.dropLast(suffix.count))
    self.count = count
    self.number = number
  }

  private static func suffix(_ number: Int, of count: Int) -> String {
    "-\(fiveDigits(number + 1))-of-\(fiveDigits(count)).gguf"
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  /// The path of part `number`, counted from 0.
  func path(_ number: Int) -> String { prefix + Self.suffix(number, of: count) }

  /// Refuses a file that is not part `number` of this model by its own keys.
  func check(_ part: GGUFPart, number: Int) throws(GGUFError) {
    let keys = part.header.metadata
    guard keys.integer(SplitKey.count) == count, keys.integer(SplitKey.number) == number else {
      let found =
        keys.integer(SplitKey.number).map { "part \($0 + 1) of \(keys.integer(SplitKey.count) ?? 1)" } ?? "no part of a split model"
      throw .split(file: part.path, problem: "by its name this is part \(number + 1) of \(count), by its keys \(found)")
    }
  }

  /// Refuses parts whose tensors do not add up to one model.
  func check(_ model: GGUFModel) throws(GGUFError) {
    var seen: [String: Int] = [:]
    for tensor in model.tensors {
      if let other = seen.updateValue(tensor.part, forKey: tensor.info.name) {
        throw .split(
          file: model.parts[tensor.part].path,
          problem: "the tensor \(tensor.info.name) is in part \(other + 1) already; these parts are of different models")
      }
    }
    for part in model.parts {
      guard let promised = part.header.metadata.integer(SplitKey.tensorCount) else { continue }
      guard promised == model.tensors.count else {
        throw .split(
          file: part.path,
          problem:
            "it promises \(promised) tensors in all parts, and they hold \(model.tensors.count); these parts are of different models"
        )
      }
    }
  }
}
