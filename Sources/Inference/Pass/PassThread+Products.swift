// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Products of the step's tokens, and how their inputs reach every team.
extension PassThread {
  /// Computes part of a product's rows, and publishes them to all teams.
  ///
  /// - Parameters:
  ///   - first: The number of the product's first unit of 16 rows, in the numbering of `part`.
  ///   - inTwoParts: Whether quantised activations are in two columns per token, whose products are added.
  ///   - place: The index of the product's row 0 in each row of `output`.
  @inline(__always)
  func project(
    _ matrix: Matrix, first: Int, _ part: Range<Int>, _ input: Columns, inTwoParts: Bool = false, into output: Rows,
    from place: Int = 0
  ) {
    let isDouble = inTwoParts && matrix.readsQuants && !matrix.readsFloats
    matrix.forEachRun(team: worker.team, first: first, part: part) { rows in
      matrix.multiply(
        rows, team: worker.team, input, count: isDouble ? 2 * step.count : step.count, into: output, first: -place)
      if isDouble {
        for token in 0..<step.count {
          kernels.add(output[token][rows], output[step.count + token][rows], into: output[token][rows])
        }
      }
      publish(output, rows.lowerBound + place..<rows.upperBound + place, count: step.count)
    }
  }

  /// Computes a product with the residual's length as output, and waits at a barrier.
  func projectOutput(_ matrix: Matrix, _ input: Columns) {
    worker.forEachPart(of: matrix.unitCount(team: worker.team), .output) { part in
      project(matrix, first: 0, part, input, into: buffers.projected)
    }
    worker.barrier(after: .output)
  }

  /// Does the same for columns that threads have published in parts, after a barrier. Quantises them first if those threads did
  /// not.
  func projectOutput(_ matrix: Matrix, _ input: Columns, handedOnAs form: ActivationForm) {
    if matrix.readsQuants, !form.quantised { quantizeShared(input, count: step.count) }
    projectOutput(matrix, input)
  }

  /// Quantises the first `count` columns, which the whole team reads. Call it after a barrier; it ends with a barrier of the team.
  func quantizeShared(_ columns: Columns, count: Int) {
    guard columns.length % 32 == 0 else { return }
    let blocks = columns.length / 32
    let mine = part(of: count * blocks)
    var at = mine.lowerBound
    while at < mine.upperBound {
      let (column, block) = (at / blocks, at % blocks)
      let run = min(mine.upperBound - at, blocks - block)
      columns.quantize(kernels, columns[column][block * 32..<(block + run) * 32], column: column, from: block * 32)
      at += run
    }
    worker.teamBarrier()
  }

  // MARK: Publishing

  /// Counts bytes that this thread has written for other teams.
  @inline(__always)
  func countCrossing(_ bytes: Int) { own.crossed.pointee += bytes }

  /// Returns the address in another team's buffers that corresponds to `address` in this team's: all teams' buffers are laid out
  /// alike.
  @inline(__always)
  func address<Element>(of address: UnsafeMutablePointer<Element>, on team: Int) -> UnsafeMutablePointer<Element> {
    let offset = UnsafeRawPointer(address) - UnsafeRawPointer(pass.teams[worker.team])
    return (pass.teams[team] + offset).assumingMemoryBound(to: Element.self)
  }

  /// Copies `count` elements of the team's buffers to the same place in the other teams' buffers.
  @inline(__always)
  private func publish<Element>(_ start: UnsafeMutablePointer<Element>, count: Int) {
    for team in 0..<worker.teamCount where team != worker.team {
      address(of: start, on: team).update(from: start, count: count)
    }
    countCrossing(count * MemoryLayout<Element>.stride * (worker.teamCount - 1))
  }

  /// Publishes the elements `part` of the first `count` rows.
  @inline(__always)
  func publish(_ rows: Rows, _ part: Range<Int>, count: Int) {
    guard worker.teamCount > 1 else { return }
    for row in 0..<count { publish(rows[row].start + part.lowerBound, count: part.count) }
  }

  /// Publishes `source` as the elements from `begin` on of one of the team's columns, in the form that its readers need.
  @inline(__always)
  func publish(_ source: Row, as form: ActivationForm, to columns: Columns, column: Int, from begin: Int = 0) {
    if form.plain {
      let target = columns[column][begin..<begin + source.count]
      target.copy(source)
      if worker.teamCount > 1 { publish(target.start, count: target.count) }
    }
    guard form.quantised else { return }
    columns.quantize(kernels, source, column: column, from: begin)
    publishQuants(columns, column: column, from: begin, count: source.count)
  }

  @inline(__always)
  private func publishQuants(_ columns: Columns, column: Int, from begin: Int, count: Int) {
    guard worker.teamCount > 1 else { return }
    let at = column * columns.length + begin
    publish(columns.q8.quants + at, count: count)
    publish(columns.q8.scales + at / 32, count: count / 32)
    publish(columns.q8.sums + at / 16, count: count / 16)
  }
}
