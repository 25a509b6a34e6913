// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension WeightType {
  /// Types that ggml once had, by number. Neither ggml nor this package can read files with them any more.
  static let removed: [UInt32: String] = [
    4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
  ]

  /// Types that ggml uses for activations while it computes; no file has them.
  private static let activations: [UInt32: String] = [9: "Q8_1", 15: "Q8_K"]

  /// Names a number that is not a `WeightType`, such as `the removed type Q4_2 (4)`.
  static func describe(unsupported number: UInt32) -> String {
    if let name = removed[number] { return "the removed weight type \(name) (\(number))" }
    if let name = activations[number] { return "type \(name) (\(number)), which is for activations, not weights" }
    return "the unknown weight type \(Int32(bitPattern: number))"
  }

  /// The largest number that is taken for a type at all; ggml has a few dozen types, and ik_llama.cpp numbers its own from 97 to a few hundred.
  private static let largestNumber: UInt32 = 1023

  /// What to do about such a type.
  static func advice(unsupported number: UInt32) -> String {
    if removed[number] != nil { return "quantise the model again with a current llama.cpp" }
    if activations[number] != nil { return "quantise the model to a type of llama.cpp" }
    if number > largestNumber { return "the file is damaged: download it again" }
    return
      "a newer ggml or another program, such as ik_llama.cpp, made it: update this program, or quantise the model to a type of llama.cpp"
  }
}
