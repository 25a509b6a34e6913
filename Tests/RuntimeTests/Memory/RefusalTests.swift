// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import PackFormat
import TestSupport
import Testing

@testable import PackRuntime

@Suite("Refusals of the kernel", .timeLimit(.minutes(5)))
struct RefusalTests {
  private func map(
    _ kind: MemoryKind?, refusing error: CInt, _ calls: Set<Kernel.Call>
  ) throws -> (mapped: MappedPack, teams: Teams) {
    let small = try RandomPack()
    // The map is explicit, so that other nodes of this machine do not matter.
    var options = MemoryOptions(kind: kind, nodeMap: [0: Topology.read().usableNodes[0].id])
    options.kernel = Kernel { calls.contains($0) ? error : nil }
    let teams = try MappedPackTests.teams(1)
    let mapped = try MappedPack(small.pack(nodes: 1, .shard), teams: teams, options: options)
    let expected = try #require(small.data["vector"])
    let weight = try #require(mapped.table.weight("vector"))
    #expect(UnsafeRawBufferPointer(start: weight.slices[0].base, count: expected.count).elementsEqual(expected))
    return (mapped, teams)
  }

  @Test(
    "If memory may not be bound, the pack is mapped all the same, and one line says so",
    arguments: [EPERM, ENOSYS], [MemoryKind.anon, .file])
  func bindingRefused(error: CInt, kind: MemoryKind) throws {
    let mapped = try map(kind, refusing: error, [.bind, .setPolicy]).mapped
    #expect(mapped.notes.count == 1)
    #expect(mapped.notes.first?.problem.contains(error == EPERM ? "Operation not permitted" : "Function not implemented") == true)
  }

  @Test("A policy that is refused only to the threads gives one line too")
  func policyRefused() throws {
    let node = Topology.read().usableNodes[0].id
    let plan = TeamPlan(teams: [.init(node: node, cpus: [Topology.currentAffinity()[0]])])
    let teams = try Teams(plan: plan, kernel: Kernel { $0 == .setPolicy ? EPERM : nil })
    let small = try RandomPack()
    let options = MemoryOptions(kind: .anon, nodeMap: [0: node])
    let mapped = try MappedPack(small.pack(nodes: 1, .shard), teams: teams, options: options)
    #expect(mapped.notes == [Note("the kernel refuses memory policies of threads: Operation not permitted")])
  }

  @Test(
    "Kernels that do not support an advice are served without it",
    arguments: [MemoryKind.anon, .file], [EINVAL, ENOSYS, EPERM])
  func adviceUnknown(kind: MemoryKind, error: CInt) throws {
    let all = [CL_MADV_HUGEPAGE, CL_MADV_RANDOM, CL_MADV_NORMAL, CL_MADV_POPULATE_WRITE, CL_MADV_POPULATE_READ, CL_MADV_COLLAPSE]
      .map {
        Kernel.Call.advise(CInt($0))
      }
    for advice in all { #expect(try map(kind, refusing: error, [advice]).mapped.notes.isEmpty) }
    #expect(try map(kind, refusing: error, Set(all)).mapped.notes.isEmpty)
  }

  @Test("A file that is cut while its pages are being loaded is named")
  func cut() throws {
    let error = #expect(throws: RuntimeError.self) { try map(.file, refusing: EFAULT, [.advise(CInt(CL_MADV_POPULATE_READ))]) }
    #expect(error?.description.contains("node0.blob: cannot populate ") == true)
    #expect(error?.description.hasSuffix("it was cut, or the disk failed, while it was in use") == true)
  }

  @Test("If move_pages is refused, numa_maps is read instead", arguments: [MemoryKind.anon, .file])
  func countsRefused(kind: MemoryKind) throws {
    let (mapped, teams) = try map(kind, refusing: EPERM, [.movePages])
    let report = mapped.placementReport(teams, measuring: false)
    #expect(report.isFromNumaMaps)
    #expect(report.blobs[0].localPages > 0)
  }

  @Test("If populating fails for lack of memory, the error names the node, and there is no signal")
  func populatingFails() throws {
    let error = #expect(throws: RuntimeError.self) { try map(.anon, refusing: ENOMEM, [.advise(CInt(CL_MADV_POPULATE_WRITE))]) }
    #expect(error?.description.hasPrefix("too little free memory: node ") == true)
  }

  @Test("Address space that is not available gives one line")
  func mappingRefused() throws {
    let error = #expect(throws: RuntimeError.self) { try map(.anon, refusing: ENOMEM, [.map]) }
    #expect(error?.description.hasPrefix("cannot reserve ") == true)
  }

  @Test("Huge pages that were not reserved are a shortage", .enabled(if: TextFile.integer("/proc/sys/vm/nr_hugepages") == 0))
  func noHugePages() throws {
    let error = #expect(throws: RuntimeError.self) { try map(.hugetlb, refusing: 0, []) }
    #expect(error?.description.hasPrefix("too few free huge pages: node ") == true)
  }

  @Test(
    "A node with too little memory is named with what it lacks, before any file is opened", arguments: [MemoryKind.anon, .file])
  func shortage(kind: MemoryKind) throws {
    let small = try RandomPack()
    let pack = try small.pack(nodes: 1, .shard)
    let node = Topology.read().usableNodes[0].id
    let machine = FakeMachine()
    try machine.addCPUs(2)
    try machine.write("sys/devices/system/node/online", "\(node)")
    try machine.addNode(node, cpus: "0-1", mebibytes: 1024, free: 20, distances: "10")
    var options = MemoryOptions(kind: kind)
    options.root = machine.root
    #expect(unlink(pack.blobPath(0)) == 0)
    let error = #expect(throws: RuntimeError.self) { try MappedPack(pack, teams: MappedPackTests.teams(1), options: options) }
    #expect(error?.description.hasPrefix("too little free memory: node \(node) is ") == true)
    #expect(error?.description.contains("20.0 MiB free") == true)
  }
}
