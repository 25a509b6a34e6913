// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import PackFormat
import Testing

@testable import Repack

@Suite("Planning")
struct PackPlanTests {
  private func tensor(_ name: String, _ type: WeightType, _ dimensions: [Int]) -> PackTensor {
    PackTensor(name: name, type: type, dimensions: dimensions, part: 0, slices: [])
  }

  private func options(_ nodes: Int, align: Int) -> PackOptions {
    var options = PackOptions()
    options.nodeCount = nodes
    options.alignment = align
    return options
  }

  @Test("A thousand experts in 300 GB are planned in less than two seconds, aligned and without growth")
  func thousandExperts() throws {
    let tensors = (0..<60).flatMap { layer in
      [
        tensor("blk.\(layer).attn_norm.weight", .f32, [7168]), tensor("blk.\(layer).attn_q.weight", .q8_0, [7168, 8192]),
        tensor("blk.\(layer).ffn_gate_exps.weight", .q4_K, [2048, 1024, 1024]),
        tensor("blk.\(layer).ffn_up_exps.weight", .q4_K, [2048, 1024, 1024]),
        tensor("blk.\(layer).ffn_down_exps.weight", .q6_K, [1024, 2048, 1024]),
      ]
    }
    let start = ContinuousClock.now
    let plan = try PackPlan(tensors: tensors, options: options(4, align: 2 << 20))
    #expect(ContinuousClock.now - start < .seconds(2))
    let source = 60 * (7168 * 4 + 7168 / 32 * 34 * 8192 + 2 * 144 * 8 * (1 << 20) + 210 * 4 * (2 << 20))
    #expect(source > 230 << 30)
    #expect(plan.blobByteCounts.reduce(0, +) < source / 1000 * 1005)
    for tensor in plan.tensors where tensor.expertCount > 1 {
      for slice in tensor.slices {
        #expect(slice.offset % (2 << 20) == 0)
        #expect(slice.expertStride % 4096 == 0)
      }
    }
  }

  @Test("Each tensor of a layer has its place in the order of use", arguments: TestModels.fixtures)
  func useOrder(path: String) throws {
    let names = try GGUFModel.open(path).tensors.map { $0.info.name.split(separator: ".") }
    let unknown = names.filter { $0.first == "blk" }.map { $0[2] }.filter { part in !UseOrder.steps.contains { part.hasPrefix($0) }
    }
    #expect(Set(unknown).subtracting(["nextn"]).isEmpty)
  }

  @Test("A pack of a model with ordinary sizes grows by less than 2 %", arguments: [1, 2, 4], [1 << 16, 2 << 20])
  func growth(nodes: Int, align: Int) throws {
    // The shape of Qwen3 1.7B, whose slices are just above 2 MiB, the worst case for that alignment.
    let tensors =
      [tensor("token_embd.weight", .q6_K, [2048, 151_936])]
      + (0..<28).flatMap { layer in
        [
          tensor("blk.\(layer).attn_q.weight", .q4_K, [2048, 2048]), tensor("blk.\(layer).attn_k.weight", .q4_K, [2048, 1024]),
          tensor("blk.\(layer).attn_v.weight", .q6_K, [2048, 1024]),
          tensor("blk.\(layer).attn_output.weight", .q4_K, [2048, 2048]),
          tensor("blk.\(layer).ffn_gate.weight", .q4_K, [2048, 6144]), tensor("blk.\(layer).ffn_up.weight", .q4_K, [2048, 6144]),
          tensor("blk.\(layer).ffn_down.weight", .q6_K, [6144, 2048]), tensor("blk.\(layer).attn_norm.weight", .f32, [2048]),
        ]
      }
    let plan = try PackPlan(tensors: tensors, options: options(nodes, align: align))
    let source = tensors.reduce(0) { $0 + ($1.type.byteCount(elements: $1.rowElements) ?? 0) * $1.rowCount }
    #expect(plan.blobByteCounts.reduce(0, +) * 100 <= source * 102)
  }

  @Test("Large slices begin on units, small ones fill the gaps, and none overlap")
  func gaps() {
    let unit = 1 << 20
    let allocator = OffsetAllocator(alignment: unit)
    func request(_ bytes: Int) -> OffsetAllocator.Request { .init(extent: bytes, isStacked: false) }
    // Each time three units less 10 000 bytes, and small slices that fit after them.
    let sizes = (0..<40).flatMap { _ in [3 * unit - 10_000, 4000, 5000] }
    let places = allocator.places(of: sizes.map(request))
    #expect(places?.end ?? 0 <= 40 * 3 * unit)
    let ranges = zip(places?.offsets ?? [], sizes).map { $0..<$0 + $1 }.sorted { $0.lowerBound < $1.lowerBound }
    #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
    #expect(ranges.filter { $0.count >= unit }.allSatisfy { $0.lowerBound % unit == 0 })
    #expect(ranges.allSatisfy { $0.lowerBound % 64 == 0 })
  }

  @Test("Tensors lie in the order in which decoding reads them")
  func order() throws {
    let names = [
      "output.weight", "blk.10.attn_q.weight", "blk.2.ffn_down.weight", "blk.2.ffn_gate.weight", "blk.2.attn_output.weight",
      "blk.2.attn_q.weight", "output_norm.weight", "token_embd.weight",
    ]
    let plan = try PackPlan(tensors: names.map { tensor($0, .q8_0, [64, 64]) }, options: options(1, align: 2 << 20))
    let found = plan.tensors.sorted { $0.slices[0].offset < $1.slices[0].offset }.map(\.name)
    #expect(
      found == [
        "token_embd.weight", "blk.2.attn_q.weight", "blk.2.attn_output.weight", "blk.2.ffn_gate.weight", "blk.2.ffn_down.weight",
        "blk.10.attn_q.weight", "output_norm.weight", "output.weight",
      ])
    #expect(plan.tensors.map(\.name) == names)
  }

  @Test("Sizes that overflow are refused")
  func overflow() {
    #expect(throws: PackError.self) {
      try PackPlan(tensors: [tensor("a", .f32, [1 << 30, 1 << 30])], options: options(1, align: 4096))
    }
  }

  @Test("Rows keep their layout if a 16-row layout would grow them by more than 3 % or fill memory")
  func exceptions() throws {
    let plan = try PackPlan(
      tensors: [tensor("short", .q8_0, [32, 64]), tensor("long", .f16, [1 << 20, 16]), tensor("good", .q8_0, [64, 64])],
      options: options(1, align: 4096))
    #expect(plan.tensors.map { $0.slices.map(\.layout) } == [[.gguf], [.gguf], [.r16k4]])
  }
}
