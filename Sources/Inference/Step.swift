// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Tokens of one sequence that stand together in a step.
struct SequenceRun {
  var sequence: Int
  /// First token of the run in the step.
  var begin: Int
  var count: Int
}

/// One step's input, written by the caller before the threads wake and read by all of them.
struct Step {
  var count = 0
  var tokens: UnsafeMutablePointer<Int32>
  var positions: UnsafeMutablePointer<Int32>
  /// Tokens whose logits are wanted, in ascending order.
  var wanted: UnsafeMutablePointer<Int32>
  var wantedCount = 0
  var runs: UnsafeMutablePointer<SequenceRun>
  var runCount = 0
}
