// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension WeightType {
  /// The types that ggml once had, by number. Neither ggml nor this package reads files with them any more.
  static let removed: [UInt32: String] = [
    4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
  ]

  /// The types that ggml and ik_llama.cpp use only for activations during computation. No file has them.
  private static let activations: [UInt32: String] = [
    9: "Q8_1", 15: "Q8_K",
    97: "Q8_0_X4", 98: "Q8_1_X4", 99: "Q8_2_X4", 136: "Q8_K64", 147: "Q8_K16", 148: "Q8_K32", 149: "Q8_KR8", 150: "Q8_K128",
    151: "Q8_KV",
  ]

  /// The types of ik_llama.cpp that are not supported: those of networks that only it computes, and those it makes for the kernels of one
  /// kind of CPU.
  private static let onlyOfFork: [UInt32: String] = [
    134: "IQ1_BN", 135: "IQ2_BN", 142: "IQ2_TN", 143: "IQ1_TN", 206: "Q5_0_R4", 210: "Q2_K_R4", 211: "Q3_K_R4", 213: "Q5_K_R4",
    214: "Q6_K_R4", 216: "IQ2_XXS_R4", 217: "IQ2_XS_R4", 218: "IQ3_XXS_R4", 219: "IQ1_S_R4", 220: "IQ4_NL_R4", 221: "IQ3_S_R4",
    222: "IQ2_S_R4", 229: "IQ1_M_R4", 230: "BF16_R16", 233: "Q6_0_R4", 335: "IQ2_BN_R4", 353: "MXFP4_R8", 397: "Q8_K_R16",
    398: "Q8_KV_R8", 399: "Q8_K_R8",
  ]

  /// The numbers that mean one type in ggml's history and another in ik_llama.cpp. Nothing in a file says which is meant.
  private static let ambiguous: [UInt32: String] = [36: "I2_S"]

  /// Returns the name of a number that is not a `WeightType`, such as `the removed weight type Q4_2 (4)`.
  static func describe(unsupported number: UInt32) -> String {
    if let name = removed[number] {
      let other = ambiguous[number].map { ", or \($0) of ik_llama.cpp, which has the same number" } ?? ""
      return "the removed weight type \(name) (\(number))\(other)"
    }
    if let name = onlyOfFork[number] { return "ik_llama.cpp's weight type \(name) (\(number)), which is not supported" }
    if let name = activations[number] { return "type \(name) (\(number)), which is for activations, not weights" }
    return "the unknown weight type \(Int32(bitPattern: number))"
  }

  /// The largest number that is still considered a type. ggml has a few dozen types, and ik_llama.cpp numbers its own up to a few hundred.
  private static let largestNumber: UInt32 = 1023

  /// Returns what to do about such a type.
  static func advice(unsupported number: UInt32) -> String {
    if removed[number] != nil { return "quantise the model again with a current llama.cpp" }
    if let name = onlyOfFork[number] {
      return name.contains("_R") ? "get the model without --repack" : "quantise the model to a type of llama.cpp"
    }
    if activations[number] != nil { return "quantise the model to a type of llama.cpp" }
    if number > largestNumber { return "the file is damaged: download it again" }
    return
      "a newer ggml or another program made it: update this program, or quantise the model to a type of llama.cpp"
  }
}
