import CLinux
import Glibc

/// Zeroed memory on one team's node, for its KV cache and scratch.
///
/// - Invariant: `base` points at `byteCount` readable and writable bytes, aligned to 64 or more, that live as long as this value.
struct NodeMemory: ~Copyable {
  private let reservation: AddressReservation
  let byteCount: Int

  /// The first byte.
  var base: UnsafeMutableRawPointer { reservation.base }

  /// Allocates `byteCount` bytes where `team` runs, present at once: decoding takes no page fault in them.
  ///
  /// - Throws: `RuntimeError.shortage` if the node has too little free memory.
  init(byteCount: Int, team: Int, teams: Teams, kernel: Kernel = Kernel(), root: String = "") throws(RuntimeError) {
    reservation = try Self.allocate(byteCount, team, teams, kernel, root)
    self.byteCount = byteCount
  }

  private static func allocate(
    _ byteCount: Int, _ team: Int, _ teams: Teams, _ kernel: Kernel, _ root: String
  ) throws(RuntimeError) -> AddressReservation {
    let huge = MappedBlob.hugePage
    let unit = byteCount >= huge ? huge : 4096
    let size = (max(byteCount, 1) + unit - 1) / unit * unit
    let node = teams.plan.teams[team].node
    try FreeMemory(Topology.read(root: root)).check([node: size])
    let reservation = try AddressReservation(byteCount: size, alignment: unit, kernel: kernel)
    let range = reservation.bytes(0..<size)
    let error = kernel.map(range, protection: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS)
    guard error == 0 else { throw .system(operation: "map \(ByteCount(size))", reason: Kernel.text(error)) }
    if unit == huge { _ = kernel.advise(range, CL_MADV_HUGEPAGE) }
    _ = kernel.bind(range, .bind(node))
    // By a thread of the team: where the binding is refused, the first touch decides.
    teams.run { worker in
      if worker.team == team, worker.index == 0, kernel.advise(range, CL_MADV_POPULATE_WRITE) != 0 {
        cl_touch(range.baseAddress, size, true)
      }
    }
    return reservation
  }
}
