// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The date and time that a template gets if it asks for the present.
///
/// It is passed in instead of read from a clock, so that the same request gives the same prompt.
public struct TemplateDate: Sendable, Equatable {
  /// The year in the Gregorian calendar, 1 to 9999.
  public let year: Int
  /// The month, 1 to 12.
  public let month: Int
  /// The day of the month, 1 to 31.
  public let day: Int
  /// The hour, 0 to 23.
  public let hour: Int
  /// The minute, 0 to 59.
  public let minute: Int
  /// The second, 0 to 59.
  public let second: Int

  /// Makes a date and time; nil if there is no such day or time.
  public init?(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
    guard (1...9999).contains(year), (1...12).contains(month), (1...Self.days(inMonth: month, of: year)).contains(day),
      (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second)
    else { return nil }
    self.year = year
    self.month = month
    self.day = day
    self.hour = hour
    self.minute = minute
    self.second = second
  }

  private static func days(inMonth month: Int, of year: Int) -> Int {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  private var dayOfYear: Int { (1..<month).reduce(day) { $0 + Self.days(inMonth: $1, of: year) } }

  /// The day of the week; 0 is Sunday.
  private var weekday: Int {
    let before = year - 1
    return (before * 365 + before / 4 - before / 100 + before / 400 + dayOfYear) % 7
  }

  private static let monthNames = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
  ]
  private static let dayNames = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

  /// Formats the date as Python's `strftime` does in the C locale.
  func formatted(_ format: Text) throws(Fault) -> Text {
    var result = Text([])
    var letters = format.letters[...]
    while let letter = letters.popFirst() {
      guard letter == "%", var code = letters.popFirst() else {
        result.append(letter)
        continue
      }
      var isPadded = true
      if code == "-", let next = letters.popFirst() {
        isPadded = false
        code = next
      }
      result.append(Text(try field(code.scalar, isPadded: isPadded)))
    }
    return result
  }

  private func field(_ code: Unicode.Scalar, isPadded: Bool) throws(Fault) -> String {
    func digits(_ number: Int, _ width: Int = 2) -> String {
      isPadded ? FloatText.zeros(width - String(number).utf8.count) + String(number) : String(number)
    }
    func blanks(_ number: Int) -> String { (isPadded && number < 10 ? " " : "") + String(number) }
    let hour12 = (hour + 11) % 12 + 1
    switch code {
    case "a": return String(Self.dayNames[weekday].prefix(3))
    case "A": return Self.dayNames[weekday]
    case "b", "h": return String(Self.monthNames[month - 1].prefix(3))
    case "B": return Self.monthNames[month - 1]
    case "c": return try formatted("%a %b %e %H:%M:%S %Y").string
    case "C": return digits(year / 100)
    case "d": return digits(day)
    case "D", "x": return try formatted("%m/%d/%y").string
    case "e": return blanks(day)
    case "f": return "000000"
    case "F": return try formatted("%Y-%m-%d").string
    case "H": return digits(hour)
    case "I": return digits(hour12)
    case "j": return digits(dayOfYear, 3)
    case "k": return blanks(hour)
    case "l": return blanks(hour12)
    case "m": return digits(month)
    case "M": return digits(minute)
    case "n": return "\n"
    case "p": return hour < 12 ? "AM" : "PM"
    case "P": return hour < 12 ? "am" : "pm"
    case "r": return try formatted("%I:%M:%S %p").string
    case "R": return try formatted("%H:%M").string
    case "S": return digits(second)
    case "t": return "\t"
    case "T", "X": return try formatted("%H:%M:%S").string
    case "u": return String(weekday == 0 ? 7 : weekday)
    case "U": return digits((dayOfYear + 6 - weekday) / 7)
    case "w": return String(weekday)
    case "W": return digits((dayOfYear + 6 - (weekday + 6) % 7) / 7)
    case "y": return digits(year % 100)
    case "Y": return String(year)
    case "z", "Z": return ""
    case "%": return "%"
    default: throw Fault(.unsupported, "the field '%\(code)' of strftime is not supported")
    }
  }
}
