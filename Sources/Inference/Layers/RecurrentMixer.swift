// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// A mixer that keeps a matrix of keys and values for each head.
protocol RecurrentMixer: MixerPart {
  var sizes: RecurrentSizes { get }
  /// The number of columns of a head's state that are stored together and handled by one thread. It divides the length of a value.
  var stateColumns: Int { get }
  /// The projection back to the residual's length.
  var output: Matrix { get }
}

extension RecurrentMixer {
  var stateColumns: Int { sizes.valueLength % 64 == 0 ? 64 : sizes.valueLength }
  var outputBias: Vector { output.bias }
  var history: History { .state }

  func takeState(_ arena: inout Arena, _ state: StateSizes, team: Int, teamCount: Int) -> [StatePiece] {
    states(&arena, state, team: team, teamCount: teamCount).pieces
  }

  /// Takes the memory for what one team keeps of each sequence.
  @inline(__always)
  func states(_ arena: inout Arena, _ state: StateSizes, team: Int, teamCount: Int) -> RecurrentStates {
    RecurrentStates(&arena, sizes, columns: stateColumns, state, team: team, teamCount: teamCount)
  }
}
