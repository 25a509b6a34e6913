// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Tokens of one sequence that stand together in a step.
struct SequenceRun {
  var sequence: Int
  /// First token of the run in the step.
  var begin: Int
  var count: Int
  /// The copy of the sequence's state to begin with; 0: the state as it is.
  var restoredCopy = 0
  /// The copy to make before the run; 0: none.
  var savedCopy = 0
  /// The first token in the step that may be taken back: before it and before each one after it, a copy is made.
  var firstTentative = Int.max
  /// Whether it is kept what the token before the run became, for the prediction layer.
  var hasHidden = false
}

/// One step's input, written by the caller before the threads wake and read by all of them.
struct Step {
  var count = 0
  let tokens: UnsafeMutablePointer<Int32>
  let positions: UnsafeMutablePointer<Int32>
  /// Tokens whose logits are wanted, in ascending order.
  let wanted: UnsafeMutablePointer<Int32>
  var wantedCount = 0
  /// Whether each token's hidden state is wanted, in place of logits.
  var wantsHidden = false
  let runs: UnsafeMutablePointer<SequenceRun>
  var runCount = 0
  /// Whether only the prediction layer runs.
  var predicts = false

  init(
    tokens: UnsafeMutablePointer<Int32>, positions: UnsafeMutablePointer<Int32>, wanted: UnsafeMutablePointer<Int32>,
    runs: UnsafeMutablePointer<SequenceRun>
  ) {
    (self.tokens, self.positions, self.wanted, self.runs) = (tokens, positions, wanted, runs)
  }

  /// The run that one of the step's tokens belongs to.
  @inline(__always)
  func run(of token: Int) -> SequenceRun {
    var index = 0
    while index + 1 < runCount, runs[index + 1].begin <= token { index += 1 }
    return runs[index]
  }

  /// The sequence of one of the step's tokens.
  @inline(__always)
  func sequence(of token: Int) -> Int { run(of: token).sequence }
}
