// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The mean of a stream of values, and its standard error.
public struct MeanWithError: Sendable {
  /// The number of values so far.
  public private(set) var count = 0
  private var sum = 0.0
  private var squares = 0.0

  /// Makes a stream without values.
  public init() {}

  /// Adds a value.
  public mutating func add(_ value: Double) {
    count += 1
    sum += value
    squares += value * value
  }

  /// The mean of the values; 0 if there are none.
  public var mean: Double { count == 0 ? 0 : sum / Double(count) }

  /// The sample standard deviation of the values; 0 for fewer than two.
  public var deviation: Double {
    guard count > 1 else { return 0 }
    return max(0, (squares - sum * sum / Double(count)) / Double(count - 1)).squareRoot()
  }

  /// The standard error of the mean.
  public var error: Double { count == 0 ? 0 : deviation / Double(count).squareRoot() }
}
