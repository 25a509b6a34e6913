// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import JSON
import Testing

/// Templates that try to use up time, memory or stack: each ends in an error of one line.
///
/// The bounds count steps and characters, so they do not depend on the machine. With the defaults, each of these takes less than a second
/// in a release build. Debug builds are many times slower, and get only some of them.
struct HostileTemplateTests {
  private static func nested(_ open: String, _ close: String, around middle: String, _ depth: Int) -> String {
    String(repeating: open, count: depth) + middle + String(repeating: close, count: depth)
  }

  #if DEBUG
    private static let share = 16
    private static let patience = Duration.seconds(30)
  #else
    private static let share = 1
    private static let patience = Duration.seconds(3)
  #endif

  private static let limits: JinjaLimits = {
    var limits = JinjaLimits()
    limits.steps /= share
    limits.characters /= share
    return limits
  }()

  private static func refusal(_ source: String, _ variables: JSONObject = [:]) throws -> JinjaError? {
    let start = ContinuousClock.now
    defer {
      let time = ContinuousClock.now - start
      #expect(time < patience, Comment(rawValue: String(source.prefix(80))))
    }
    return #expect(throws: JinjaError.self, Comment(rawValue: String(source.prefix(80)))) {
      try JinjaTemplate(source, limits: limits).render(variables)
    }
  }

  @Test(arguments: [
    "{{ " + nested("(", ")", around: "1", 100_000) + " }}",
    "{{ " + nested("[", "]", around: "1", 100_000) + " }}",
    "{{ " + nested("{1:", "}", around: "1", 100_000) + " }}",
    "{{ " + nested("x[", "]", around: "1", 100_000) + " }}",
    "{{ " + nested("f(", ")", around: "1", 100_000) + " }}",
    "{{ " + String(repeating: "-", count: 100_000) + "1 }}",
    "{{ " + String(repeating: "not ", count: 100_000) + "1 }}",
    "{{ " + String(repeating: "1 if 1 else ", count: 50_000) + "1 }}",
    "{{ 1" + String(repeating: " if 1", count: 100_000) + " }}",
    nested("{% if 1 %}", "{% endif %}", around: "x", 20_000),
    nested("{% for i in x %}", "{% endfor %}", around: "x", 20_000),
    nested("{% macro m() %}", "{% endmacro %}", around: "x", 20_000),
    "{% for " + nested("(", ")", around: "a", 100_000) + " in x %}{% endfor %}",
    "{{ 1 is in " + nested("[", "]", around: "1", 100_000) + " }}",
  ])
  func `deep nesting is refused when the template is read`(source: String) throws {
    #expect(try Self.refusal(source)?.kind == .limit)
  }

  @Test(arguments: [
    "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{{ 'x' * 10 ** 12 }}",
    "{{ [0] * 10 ** 12 }}",
    "{{ 'x'.ljust(10 ** 12) }}{{ 'x' | center(10 ** 12) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ 'ab' | indent(10 ** 12, true) }}",
    "{{ [1] | tojson(indent=10 ** 12) }}",
    "{{ [1] | batch(10 ** 12, 0) | list }}",
    "{{ [1] | slice(10 ** 12) | list }}",
    "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "{% set ns = namespace(s=[0]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s.replace('a', 'aa') %}{% endfor %}",
    "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}",
    "{% set ns = namespace(l=[]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
    "{% set ns = namespace(l=[]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}",
    "{% set ns = namespace(l=[], m=[]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}"
      + "{% endfor %}{{ ns.l == ns.m }}",
    "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
    "{% set ns = namespace() %}{% for i in range(100000) %}{% set ns.a = namespace(b=ns.a) %}{% endfor %}{{ ns.a }}",
    "{% set s = 'a' * 60000000 %}{% for i in range(1000) %}{% if s.upper() == s %}{% endif %}{% endfor %}",
    "{% set s = 'a' * 10000000 %}{% for i in range(100000) %}{% if (s ~ i) in s %}{% endif %}{% endfor %}",
    "{% set l = range(100000) | list %}{% for i in l %}{% if 'x' in l %}{% endif %}{% endfor %}",
    "{% set l = range(100000) | list %}{% for i in l %}{% if l | sort %}{% endif %}{% endfor %}",
    "{% set s = 'ab' * 5000000 %}{% for i in range(1000) %}{{ (s.split('a') | length) }}{% endfor %}",
    "{% set s = 'x' * 1000000 %}{% for i in range(1000) %}{{ s }}{% endfor %}",
    "{{ range(10 ** 12) }}", "{{ range(10 ** 12, 0, -1) }}", "{{ 10 ** 10 ** 10 }}", "{{ 2 ** 127 }}",
    "{{ 'a' * 100000 | map('upper') | list }}",
    "{{ ([1] | map('map') | list)[0] | list }}{{ raise_exception('end') }}",
  ])
  func `what takes too much is refused when the template runs`(source: String) throws {
    let error = try Self.refusal(source)
    #expect(error?.message.contains("\n") == false)
  }

  @Test func `a template of 50 MB is refused`() throws {
    let error = try Self.refusal(String(repeating: "{{ x }}\n", count: 50 << 17))
    #expect(error?.message == "the template has more than 1048576 characters")
  }

  @Test func `a variable nested deeper than the bound is refused`() throws {
    var value: JSONValue = .array([])
    for _ in 0..<500 { value = .array([value]) }
    #expect(try Self.refusal("{{ x }}", ["x": value])?.kind == .limit)
  }

  @Test func `the longest row of operators is not nesting`() throws {
    let sum = "{{ 1" + String(repeating: " + 1", count: 50_000) + " }}"
    #expect(try JinjaTemplate(sum).render([:]).text == "50001")
    let chain = "{{ 'x'" + String(repeating: ".upper().lower()", count: 20_000) + " }}"
    #expect(try JinjaTemplate(chain).render([:]).text == "x")
  }

  @Test func `the deepest template allowed runs within the stack`() throws {
    let depth = 60
    let source =
      "{% macro m(n) %}" + Self.nested("{% if 1 %}", "{% endif %}", around: "{{ m(n + 1) }}", depth) + "{% endmacro %}{{ m(0) }}"
    #expect(try Self.refusal(source)?.kind == .limit)
    let value = "{{ " + Self.nested("[", "]", around: "1", 55) + " | tojson | length }}"
    #expect(try JinjaTemplate(value).render([:]).text == "111")
  }
}
