// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Testing

/// A bad file, and the message that it must get.
struct Refusal: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// The exact text of the message after the place.
  let message: String
  let file: RawGGUF

  init(_ description: String, _ message: String, tensors: Int64 = 0, keys: Int64 = 0, _ build: (inout RawGGUF) -> Void) {
    self.init(description, message, RawGGUF(tensors: tensors, keys: keys), build)
  }

  init(_ description: String, _ message: String, _ file: RawGGUF, _ build: (inout RawGGUF) -> Void = { _ in }) {
    testDescription = description
    self.message = message
    var file = file
    build(&file)
    self.file = file
  }
}

extension Refusal {
  private static let damaged = "the file is damaged: download it again"
  private static let short = "the file is cut short or damaged: download it again"
  private static let convert = "convert the model again with a current converter"
  private static let noModel = "the file is damaged, or not a model: download it again"

  private static func start(_ version: [UInt8]) -> RawGGUF { RawGGUF(bytes: Array("GGUF".utf8) + version) }

  static let ofStart: [Refusal] = [
    Refusal("three bytes", "the magic takes 4 bytes, but the file ends after 3; \(short)", RawGGUF(bytes: Array("GGU".utf8))),
    Refusal(
      "another magic",
      "this is not a GGUF file: it does not begin with the letters GGUF; give a .gguf file, or download this one again",
      RawGGUF(bytes: Array("PK\u{3}\u{4}0000".utf8))),
    Refusal("version 0", "GGUF version 0 is not supported, only 2 and 3 are; \(damaged)", start([])) {
      $0.here()
      $0.integer(UInt32(0))
    },
    Refusal("version 1", "GGUF version 1 is not supported, only 2 and 3 are; \(convert)", start([])) {
      $0.here()
      $0.integer(UInt32(1))
    },
    Refusal(
      "version 4", "GGUF version 4 is not supported, only 2 and 3 are; a newer version of this program may read it", start([])
    ) {
      $0.here()
      $0.integer(UInt32(4))
    },
    Refusal(
      "byte-swapped", "this GGUF is for big-endian machines; convert the model again for little-endian machines", start([])
    ) {
      $0.here()
      $0.integer(UInt32(3).byteSwapped)
    },
    Refusal(
      "nothing after the version", "the number of tensors takes 8 bytes, but the file ends after 0; \(short)", start([3, 0, 0, 0])
    ) {
      $0.here()
    },
    Refusal("negative tensor count", "the number of tensors is negative (-1); \(damaged)", start([3, 0, 0, 0])) {
      $0.here()
      $0.integer(Int64(-1))
      $0.integer(Int64(0))
    },
    Refusal("negative key count", "the number of keys is negative (-9223372036854775808); \(damaged)", start([3, 0, 0, 0])) {
      $0.integer(Int64(0))
      $0.here()
      $0.integer(Int64.min)
    },
    Refusal(
      "more tensors than bytes", "the number of tensors is 9, more than the 8 that a file of 224 bytes can hold; \(short)",
      start([3, 0, 0, 0])
    ) {
      $0.here()
      $0.integer(Int64(9))
      $0.integer(Int64(0))
      $0.raw([UInt8](repeating: 0, count: 200))
    },
    Refusal(
      "more keys than bytes",
      "the number of keys is 9223372036854775807, more than the 0 that a file of 24 bytes can hold; \(short)", start([3, 0, 0, 0])
    ) {
      $0.integer(Int64(0))
      $0.here()
      $0.integer(Int64.max)
    },
    Refusal(
      "more keys than the limit", "the number of keys is 65537, more than the limit of 65536; \(noModel)", start([3, 0, 0, 0])
    ) {
      $0.integer(Int64(0))
      $0.here()
      $0.integer(Int64(65537))
      $0.raw([UInt8](repeating: 0, count: 65537 * 14))
    },
  ]

  static let ofKeys: [Refusal] = [
    Refusal("empty key", "the name of key 0 is empty; \(convert)", keys: 1) {
      $0.here()
      $0.key("", type: 0)
      $0.raw([1, 0])
    },
    Refusal("duplicate key", "the key 'a' occurs twice; \(convert)", keys: 2) {
      $0.key("a", type: 0)
      $0.raw([1])
      $0.here()
      $0.key("a", type: 4)
      $0.integer(UInt32(1))
    },
    Refusal("key with NUL", "the name of key 0 contains a NUL; \(convert)", keys: 1) {
      $0.here()
      $0.key("a\0b", type: 0)
      $0.raw([1])
    },
    Refusal("key not UTF-8", "the name of key 0 is not UTF-8; \(convert)", keys: 1) {
      $0.here()
      $0.string([0xff, 0xfe])
      $0.integer(UInt32(0))
      $0.raw([1])
    },
    Refusal("key longer than the file", "the name of key 0 takes 1000 bytes, but the file ends after 10; \(short)", keys: 1) {
      $0.integer(UInt64(1000))
      $0.here()
      $0.raw([UInt8](repeating: 0x61, count: 10))
    },
    Refusal(
      "string longer than 2^30", "the length of the key 'a' is 1073741825, more than the limit of 1073741824; \(noModel)", keys: 1
    ) {
      $0.key("a", type: 8)
      $0.here()
      $0.integer(UInt64(1) << 30 + 1)
    },
    Refusal("string of negative length", "the length of the key 'a' is negative (-1); \(damaged)", keys: 1) {
      $0.key("a", type: 8)
      $0.here()
      $0.integer(Int64(-1))
    },
    Refusal("string longer than the file", "the key 'a' takes 1073741824 bytes, but the file ends after 1; \(short)", keys: 1) {
      $0.key("a", type: 8)
      $0.integer(UInt64(1) << 30)
      $0.here()
      $0.raw([0x61])
    },
    Refusal("unknown value type", "the key 'a' has the unknown type 13; \(damaged)", keys: 1) {
      $0.string("a")
      $0.here()
      $0.integer(UInt32(13))
      $0.integer(UInt64(0))
    },
    Refusal("negative value type", "the key 'a' has the unknown type -1; \(damaged)", keys: 1) {
      $0.string("a")
      $0.here()
      $0.integer(Int32(-1))
      $0.raw([0])
    },
    Refusal("unknown element type", "an element of the key 'a' has the unknown type 99; \(damaged)", keys: 1) {
      $0.key("a", type: 9)
      $0.here()
      $0.integer(UInt32(99))
      $0.integer(UInt64(0))
    },
    Refusal("nested array", "the key 'a' is an array of arrays; \(convert)", keys: 1) {
      $0.key("a", type: 9)
      $0.here()
      $0.integer(UInt32(9))
      $0.integer(UInt64(1))
    },
    Refusal(
      "array longer than the file",
      "the number of elements of the key 'a' is 100, more than the 2 that a file of 57 bytes can hold; \(short)", keys: 1
    ) {
      $0.key("a", type: 9)
      $0.integer(UInt32(5))
      $0.here()
      $0.integer(UInt64(100))
      $0.raw([UInt8](repeating: 0, count: 8))
    },
    Refusal("array of negative length", "the number of elements of the key 'a' is negative (-2); \(damaged)", keys: 1) {
      $0.key("a", type: 9)
      $0.integer(UInt32(0))
      $0.here()
      $0.integer(Int64(-2))
    },
    Refusal(
      "array of strings that would overflow",
      "the number of elements of the key 'a' is 2305843009213693952, more than the 0 that a file of 49 bytes can hold; \(short)",
      keys: 1
    ) {
      $0.key("a", type: 9)
      $0.integer(UInt32(8))
      $0.here()
      $0.integer(UInt64(1) << 61)
    },
    Refusal(
      "string of an array past the end", "a string of the key 'a' takes 9 bytes, but the file ends after 1; \(short)", keys: 1
    ) {
      $0.key("a", type: 9)
      $0.integer(UInt32(8))
      $0.integer(UInt64(1))
      $0.integer(UInt64(9))
      $0.here()
      $0.raw([1])
    },
    Refusal("alignment not a power of two", "general.alignment is 48, which is not a power of two; \(convert)", keys: 1) {
      $0.string("general.alignment")
      $0.here()
      $0.integer(UInt32(4))
      $0.integer(UInt32(48))
    },
    Refusal("alignment of zero", "general.alignment is 0, which is not a power of two; \(convert)", keys: 1) {
      $0.string("general.alignment")
      $0.here()
      $0.integer(UInt32(4))
      $0.integer(UInt32(0))
    },
    Refusal("alignment of another type", "general.alignment is of type uint64, not uint32; \(convert)", keys: 1) {
      $0.string("general.alignment")
      $0.here()
      $0.integer(UInt32(10))
      $0.integer(UInt64(32))
    },
    Refusal("key that would break the line", "the key 'a\\u{a}b\\u{1b}' is an array of arrays; \(convert)", keys: 1) {
      $0.key("a\nb\u{1b}", type: 9)
      $0.here()
      $0.integer(UInt32(9))
    },
  ]

  private static let name63 = String(repeating: "n", count: 63)

  static let ofTensors: [Refusal] = [
    Refusal("name of 64 bytes", "the name of tensor 0 has 64 bytes, more than 63; \(convert)", tensors: 1) {
      $0.here()
      $0.tensor(name63 + "n", [32])
      $0.data(128)
    },
    Refusal("no name", "the name of tensor 0 is empty; \(convert)", tensors: 1) {
      $0.here()
      $0.tensor("", [32])
      $0.data(128)
    },
    Refusal("name with NUL", "the name of tensor 0 contains a NUL; \(convert)", tensors: 1) {
      $0.here()
      $0.tensor("a\0", [32])
      $0.data(128)
    },
    Refusal("duplicate name", "the tensor '\(name63)' occurs twice; \(convert)", tensors: 2) {
      $0.tensor(name63, [32])
      $0.here()
      $0.tensor(name63, [32], offset: 128)
      $0.data(256)
    },
    Refusal("five dimensions", "the tensor 't' has 5 dimensions, more than 4; \(convert)", tensors: 1) {
      $0.string("t")
      $0.here()
      $0.integer(UInt32(5))
      $0.raw([UInt8](repeating: 1, count: 100))
    },
    Refusal("negative size", "dimension 0 of the tensor 't' is -32; \(damaged)", tensors: 1) {
      $0.string("t")
      $0.integer(UInt32(1))
      $0.here()
      $0.integer(Int64(-32))
      $0.raw([UInt8](repeating: 0, count: 12))
    },
    Refusal("overflowing sizes", "the tensor 't' is larger than 2^62 bytes; \(noModel)", tensors: 1) {
      $0.string("t")
      $0.here()
      $0.integer(UInt32(3))
      for _ in 0..<3 { $0.integer(Int64(1) << 32) }
      $0.integer(UInt32(0))
      $0.integer(UInt64(0))
    },
    Refusal("overflowing row", "the tensor 't' is larger than 2^62 bytes; \(noModel)", tensors: 1) {
      $0.string("t")
      $0.here()
      $0.integer(UInt32(1))
      $0.integer(Int64.max)
      $0.integer(UInt32(28))
      $0.integer(UInt64(0))
    },
    Refusal("end beyond 2^62", "the tensor 't' is larger than 2^62 bytes; \(noModel)", tensors: 1) {
      $0.string("t")
      $0.integer(UInt32(1))
      $0.integer(Int64(1) << 62 + 1)
      $0.integer(UInt32(24))
      $0.here()
      $0.integer(UInt64(0))
    },
    Refusal(
      "row that is not whole blocks",
      "a row of the tensor 't' has 100 elements, which is not a multiple of the 256 of a Q4_K block; \(convert)",
      tensors: 1
    ) {
      $0.string("t")
      $0.here()
      $0.integer(UInt32(1))
      $0.integer(Int64(100))
      $0.integer(UInt32(12))
      $0.integer(UInt64(0))
    },
    unsupported(4, "the removed weight type Q4_2 (4); quantise the model again with a current llama.cpp"),
    unsupported(31, "the removed weight type Q4_0_4_4 (31); quantise the model again with a current llama.cpp"),
    unsupported(38, "the removed weight type IQ4_NL_8_8 (38); quantise the model again with a current llama.cpp"),
    unsupported(15, "type Q8_K (15), which is for activations, not weights; quantise the model to a type of llama.cpp"),
    unsupported(
      36,
      "the removed weight type IQ4_NL_4_4 (36), or I2_S of ik_llama.cpp, which has the same number; quantise the model again with a current llama.cpp"
    ),
    unsupported(134, "ik_llama.cpp's weight type IQ1_BN (134), which is not supported; quantise the model to a type of llama.cpp"),
    unsupported(214, "ik_llama.cpp's weight type Q6_K_R4 (214), which is not supported; get the model without --repack"),
    unsupported(148, "type Q8_K32 (148), which is for activations, not weights; quantise the model to a type of llama.cpp"),
    unsupported(43, "the unknown weight type 43; \(newer)"), unsupported(500, "the unknown weight type 500; \(newer)"),
    Refusal(
      "rows that are not whole groups",
      "the tensor 't' has 6 rows, which is not a multiple of the 4 that IQ4_K_R4 interleaves; \(convert)",
      tensors: 1
    ) {
      $0.string("t")
      $0.here()
      $0.integer(UInt32(2))
      $0.integer(Int64(256))
      $0.integer(Int64(6))
      $0.integer(UInt32(339))
      $0.integer(UInt64(0))
    },
    unsupported(.max, "the unknown weight type -1; the file is damaged: download it again"),
    misplaced("first not at zero", 1, [], at: 32, "does not begin at 0, as the first tensor's must"),
    misplaced("unaligned", 4, [128], at: 130, "is not aligned to 32"),
    misplaced("overlapping", 32, [128], at: 96, "overlaps the tensor before it, which ends at 128"),
    misplaced("with a gap", 32, [128], at: 160, "leaves a gap after the tensor before it, which ends at 128"),
    misplaced("out of order", 32, [128, 128], at: 0, "lies before that of the tensor listed before it"),
    Refusal("negative offset", "the offset of 't' is negative (-32); \(damaged)", tensors: 1) {
      $0.string("t")
      $0.integer(UInt32(1))
      $0.integer(Int64(32))
      $0.integer(UInt32(0))
      $0.here()
      $0.integer(Int64(-32))
    },
    Refusal("data past the end", "the data of 't' takes 128 bytes, but the file ends after 127; \(short)", tensors: 1) {
      $0.tensor("t", [32])
      $0.data(0)
      $0.here()
      $0.data(127)
    },
    Refusal("second tensor's data past the end", "the data of 'u' takes 34 bytes, but the file ends after 33; \(short)", tensors: 2)
    {
      $0.tensor("t", [32])
      $0.tensor("u", [32], type: 8, offset: 128)
      $0.data(128)
      $0.here()
      $0.raw([UInt8](repeating: 0, count: 33))
    },
    Refusal("no data at all", "the data of 't' takes 128 bytes, but the file ends after 0; \(short)", tensors: 1) {
      $0.tensor("t", [32])
      $0.data(0)
      $0.here()
    },
    Refusal("cut short within the tensors", "the offset of 't' takes 8 bytes, but the file ends after 4; \(short)", tensors: 1) {
      $0.string("t")
      $0.integer(UInt32(1))
      $0.integer(Int64(32))
      $0.integer(UInt32(0))
      $0.here()
      $0.integer(UInt32(0))
    },
  ]

  private static func unsupported(_ number: UInt32, _ message: String) -> Refusal {
    Refusal("weight type \(Int32(bitPattern: number))", "the tensor 't' is of \(message)", tensors: 1) {
      $0.string("t")
      $0.integer(UInt32(1))
      $0.integer(Int64(256))
      $0.here()
      $0.integer(number)
      $0.integer(UInt64(0))
    }
  }

  /// Returns a tensor of `count` floats at a wrong offset, after others with the given sizes in bytes.
  private static func misplaced(
    _ description: String, _ count: Int64, _ before: [UInt64], at offset: UInt64, _ message: String
  ) -> Refusal {
    Refusal(
      description, "the data of 't' at offset \(offset) \(message); \(convert)", tensors: Int64(before.count) + 1
    ) {
      var end: UInt64 = 0
      for (index, size) in before.enumerated() {
        $0.tensor("before.\(index)", [Int64(size) / 4], offset: end)
        end += size
      }
      $0.string("t")
      $0.integer(UInt32(1))
      $0.integer(count)
      $0.integer(UInt32(0))
      $0.here()
      $0.integer(offset)
      $0.data(1024)
    }
  }
}
