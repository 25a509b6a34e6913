// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Python's arithmetic on integers of 128 bits and on floats. Operations that make strings and lists are in the interpreter, which
/// counts their size.
extension Value {
  func calculate(_ operation: Expression.Arithmetic, _ other: Value) throws(Fault) -> Value {
    if let left = asInteger, let right = other.asInteger { return try Self.calculate(operation, left, right) }
    if isNumber, other.isNumber { return .float(try Self.calculate(operation, toFloat, other.toFloat)) }
    if case .undefined(let undefined) = self { throw undefined.fault }
    if case .undefined(let undefined) = other { throw undefined.fault }
    let symbol = operation == .power ? "** or pow()" : operation.rawValue
    throw Fault(.type, "unsupported operand type(s) for \(symbol): '\(typeName)' and '\(other.typeName)'")
  }

  /// The number as a float; 0 if the value is not a number.
  var toFloat: Double {
    if case .float(let float) = self { return float }
    return asInteger.map { Double($0) } ?? 0
  }

  private static let overflow = Fault(.unsupported, "an integer of more than 128 bits is not supported")

  private static func calculate(
    _ operation: Expression.Arithmetic, _ left: Int128, _ right: Int128
  ) throws(Fault) -> Value {
    let result: (partialValue: Int128, overflow: Bool)
    switch operation {
    case .add: result = left.addingReportingOverflow(right)
    case .subtract: result = left.subtractingReportingOverflow(right)
    case .multiply: result = left.multipliedReportingOverflow(by: right)
    case .divide:
      guard right != 0 else { throw Fault(.arithmetic, "division by zero") }
      return .float(Double(left) / Double(right))
    case .floorDivide:
      guard right != 0 else { throw Fault(.arithmetic, "integer division or modulo by zero") }
      result = floorDivide(left, right)
    case .modulo:
      guard right != 0 else { throw Fault(.arithmetic, "integer modulo by zero") }
      return .integer(modulo(left, right))
    case .power: return try power(left, right)
    }
    guard !result.overflow else { throw overflow }
    return .integer(result.partialValue)
  }

  private static func floorDivide(_ left: Int128, _ right: Int128) -> (partialValue: Int128, overflow: Bool) {
    let quotient = left.dividedReportingOverflow(by: right)
    guard !quotient.overflow else { return quotient }
    let isInexact = quotient.partialValue * right != left
    return (quotient.partialValue - (isInexact && (left < 0) != (right < 0) ? 1 : 0), false)
  }

  /// Returns the remainder with the sign of the divisor.
  private static func modulo(_ left: Int128, _ right: Int128) -> Int128 {
    let remainder = left.remainderReportingOverflow(dividingBy: right).partialValue
    return remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder
  }

  private static func power(_ base: Int128, _ exponent: Int128) throws(Fault) -> Value {
    guard exponent >= 0 else {
      guard base != 0 else { throw Fault(.arithmetic, "0.0 cannot be raised to a negative power") }
      return .float(try power(Double(base), Double(exponent)))
    }
    if exponent > 127 && base.magnitude > 1 { throw overflow }
    if base == -1 { return .integer(exponent % 2 == 0 ? 1 : -1) }
    if base == 1 || (base == 0 && exponent > 0) { return .integer(base) }
    var result: Int128 = 1
    for _ in 0..<Int(exponent) {
      let product = result.multipliedReportingOverflow(by: base)
      guard !product.overflow else { throw overflow }
      result = product.partialValue
    }
    return .integer(result)
  }

  private static func calculate(
    _ operation: Expression.Arithmetic, _ left: Double, _ right: Double
  ) throws(Fault) -> Double {
    switch operation {
    case .add: return left + right
    case .subtract: return left - right
    case .multiply: return left * right
    case .divide:
      guard right != 0 else { throw Fault(.arithmetic, "float division by zero") }
      return left / right
    case .floorDivide:
      guard right != 0 else { throw Fault(.arithmetic, "float floor division by zero") }
      return floorDivide(left, right)
    case .modulo:
      guard right != 0 else { throw Fault(.arithmetic, "float modulo") }
      return modulo(left, right)
    case .power: return try power(left, right)
    }
  }

  private static func modulo(_ left: Double, _ right: Double) -> Double {
    let remainder = left.truncatingRemainder(dividingBy: right)
    if remainder == 0 { return Double(signOf: right, magnitudeOf: 0) }
    return (remainder < 0) != (right < 0) ? remainder + right : remainder
  }

  private static func floorDivide(_ left: Double, _ right: Double) -> Double {
    var remainder = left.truncatingRemainder(dividingBy: right)
    if remainder != 0, (remainder < 0) != (right < 0) { remainder += right }
    let quotient = (left - remainder) / right
    if quotient == 0 { return Double(signOf: left / right, magnitudeOf: 0) }
    let floor = quotient.rounded(.down)
    return quotient - floor > 0.5 ? floor + 1 : floor
  }

  /// Returns a float to the power of an integer, by repeated squaring. The last bit may differ from the C library's result.
  private static func power(_ base: Double, _ exponent: Double) throws(Fault) -> Double {
    guard exponent == exponent.rounded(), exponent.magnitude < 1e6 else {
      throw Fault(.unsupported, "a power with an exponent that is not a whole number is not supported")
    }
    if base == 0 && exponent < 0 { throw Fault(.arithmetic, "0.0 cannot be raised to a negative power") }
    var result = 1.0
    var square = base
    var bits = Int(exponent.magnitude)
    while bits > 0 {
      if bits & 1 == 1 { result *= square }
      square *= square
      bits >>= 1
    }
    if result.isInfinite && base.isFinite { throw Fault(.arithmetic, "(34, 'Numerical result out of range')") }
    return exponent < 0 ? 1 / result : result
  }

  func negated() throws(Fault) -> Value {
    if let integer = asInteger {
      let result = Int128(0).subtractingReportingOverflow(integer)
      guard !result.overflow else { throw Self.overflow }
      return .integer(result.partialValue)
    }
    if case .float(let float) = self { return .float(-float) }
    if case .undefined(let undefined) = self { throw undefined.fault }
    throw Fault(.type, "bad operand type for unary -: '\(typeName)'")
  }

  func posited() throws(Fault) -> Value {
    if let integer = asInteger { return .integer(integer) }
    if case .float = self { return self }
    if case .undefined(let undefined) = self { throw undefined.fault }
    throw Fault(.type, "bad operand type for unary +: '\(typeName)'")
  }
}
