// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import PackFormat

/// The weights of a mapped pack in the form that the decode loop needs.
///
/// - Invariant: what `weight` returns points into memory that this object owns and frees at its end.
@safe package final class WeightTable {
  private let plan: ReplicaPlan
  private let teamCount: Int
  /// The address of each replica.
  private let bases: [UnsafeRawPointer]
  private var tensors: [String: PackTensor] = [:]
  private var weights: [String: Weight] = [:]
  private var allocations: [UnsafeMutableRawPointer] = unsafe []

  /// A table of the weights in `manifest`.
  ///
  /// - Parameter bases: The address of each replica in `plan.replicas`.
  package init(_ manifest: PackManifest, plan: ReplicaPlan, teamCount: Int, bases: [UnsafeRawPointer]) {
    self.plan = plan
    self.teamCount = teamCount
    unsafe self.bases = bases
    for tensor in manifest.tensors { tensors[tensor.name] = tensor }
  }

  deinit { unsafe allocations.forEach { unsafe $0.deallocate() } }

  /// The names of all tensors.
  package var names: some Collection<String> { tensors.keys }

  /// Returns the weight with that name, divided into each team's rows; nil if the pack has none.
  package func weight(_ name: String) -> Weight? {
    if let known = weights[name] { return known }
    guard let tensor = tensors[name] else { return nil }
    var slices: [WeightSlice] = []
    var starts: [Int32] = [0]
    var nearby: [NearbySlice] = []
    for team in 0..<teamCount {
      slices += rows(of: tensor, for: team)
      starts.append(Int32(slices.count))
      nearby += tensor.slices.map { lookup($0, for: team) }
    }
    let weight = unsafe Weight(
      type: tensor.type.rawValue, columns: tensor.rowElements, rows: tensor.rowCount,
      experts: tensor.expertCount,
      slices: keep(slices), teamStarts: keep(starts), nearby: keep(nearby),
      nearbyCount: tensor.slices.count)
    weights[name] = weight
    return weight
  }

  private func lookup(_ slice: TensorSlice, for team: Int) -> NearbySlice {
    let isShard = plan.replicaOfTeam.isEmpty
    let replica = isShard ? plan.replicaOfBlob[slice.blob] : plan.replicaOfTeam[team]
    return unsafe NearbySlice(
      slice: whole(slice, at: bases[replica]),
      isLocal: !isShard || plan.teamOfBlob[slice.blob] == team)
  }

  private func rows(of tensor: PackTensor, for team: Int) -> [WeightSlice] {
    if plan.replicaOfTeam.isEmpty {
      return tensor.slices.filter { plan.teamOfBlob[$0.blob] == team }.map {
        unsafe whole($0, at: bases[plan.replicaOfBlob[$0.blob]])
      }
    }
    let groups = tensor.rowCount.pieceCount(of: Layout.groupRows)
    let begin = groups * team / teamCount * Layout.groupRows
    let end = min(tensor.rowCount, groups * (team + 1) / teamCount * Layout.groupRows)
    let base = unsafe bases[plan.replicaOfTeam[team]]
    return tensor.slices.compactMap { slice in
      let low = max(begin, slice.rowBegin)
      let high = min(end, slice.rowBegin + slice.rowCount)
      return unsafe low < high ? cut(slice, at: base, rows: low..<high) : nil
    }
  }

  private func whole(_ slice: TensorSlice, at base: UnsafeRawPointer) -> WeightSlice {
    unsafe cut(slice, at: base, rows: slice.rowBegin..<slice.rowBegin + slice.rowCount)
  }

  /// - Parameter rows: Rows of the slice. In the 16-row layouts, the slice and the cut both begin and end at whole groups.
  private func cut(_ slice: TensorSlice, at base: UnsafeRawPointer, rows: Range<Int>) -> WeightSlice {
    let isInterleaved = slice.layout != .gguf
    let unit = isInterleaved ? Layout.groupRows : 1
    let unitByteCount = slice.byteCount / max(1, slice.rowCount / unit)
    return unsafe WeightSlice(
      base: base + slice.offset + (rows.lowerBound - slice.rowBegin) / unit * unitByteCount, expertStride: slice.expertStride,
      rowBegin: rows.lowerBound, rowCount: rows.count, isInterleaved: isInterleaved)
  }

  private func keep<Element>(_ elements: [Element]) -> UnsafePointer<Element> {
    let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
    unsafe elements.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { unsafe memory.initialize(from: start, count: source.count) }
    }
    unsafe allocations.append(UnsafeMutableRawPointer(memory))
    return unsafe UnsafePointer(memory)
  }
}
