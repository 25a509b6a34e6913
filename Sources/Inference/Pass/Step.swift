// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Consecutive tokens of one sequence in a step.
struct SequenceRun {
  var sequence: Int
  /// The index of the run's first token in the step.
  var begin: Int
  var count: Int
  /// The copy of the sequence's state to restore before the run; 0: none.
  var restoredCopy = 0
  /// The copy to make of the state before the run; 0: none.
  var savedCopy = 0
  /// The index in the step of the first tentative token. The state is copied before it and before each token after it.
  var firstTentative = Int.max
  /// Whether the hidden state of the token before the run is kept, for the prediction layer.
  var hasHidden = false
}

/// The input of one step. The caller writes it before the threads wake, and all of them read it.
struct Step {
  var count = 0
  let tokens: UnsafeMutablePointer<Int32>
  let positions: UnsafeMutablePointer<Int32>
  /// Indices of the tokens whose logits are wanted, ascending.
  let wanted: UnsafeMutablePointer<Int32>
  var wantedCount = 0
  /// Whether the hidden states of all tokens are wanted instead of logits.
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

  /// Returns the run that one of the step's tokens belongs to.
  @inline(__always)
  func run(of token: Int) -> SequenceRun {
    var index = 0
    while index + 1 < runCount, runs[index + 1].begin <= token { index += 1 }
    return runs[index]
  }

  /// Returns the sequence of one of the step's tokens.
  @inline(__always)
  func sequence(of token: Int) -> Int { run(of: token).sequence }
}
