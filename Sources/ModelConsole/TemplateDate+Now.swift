// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Glibc

extension TemplateDate {
  /// The present, by the clock and the time zone of this machine.
  package static var now: TemplateDate? {
    var seconds = time(nil)
    var local = unsafe tm()
    guard unsafe localtime_r(&seconds, &local) != nil else { return nil }
    let (year, month, day) = unsafe (local.tm_year, local.tm_mon, local.tm_mday)
    let (hour, minute, second) = unsafe (local.tm_hour, local.tm_min, local.tm_sec)
    return TemplateDate(
      year: Int(year) + 1900, month: Int(month) + 1, day: Int(day), hour: Int(hour), minute: Int(minute),
      second: Int(min(second, 59)))
  }
}
