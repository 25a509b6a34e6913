// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Foundation
import JSON
import Testing

/// Random programs, compared with Jinja2 itself.
@Suite(.enabled(if: Jinja2.isInstalled, Jinja2.absence))
struct RandomProgramTests {
  /// GGUFPACK_SEED sets the first seed, for runs over other programs than these.
  static let seeds: [Int] = {
    let first = ProcessInfo.processInfo.environment["GGUFPACK_SEED"].flatMap(Int.init) ?? 1
    return Array(first..<first + 4)
  }()

  @Test(arguments: seeds)
  func `random programs do what they do in Jinja2`(seed: Int) throws {
    let lines = try Jinja2.programs(seed: seed, count: 500)
    let first = try #require(lines.first)
    let context = try #require(JSONValue(parsing: first)["context"]?.object)
    var unsupported = 0
    for line in lines.dropFirst() {
      let oracle = try JSONValue(parsing: line)
      let source = try #require(oracle["template"]?.string)
      let result = Result { () throws(JinjaError) in try JinjaTemplate(source).render(context).text }
      switch (result, oracle["expected"]?.string) {
      case (.success(let text), let expected?):
        #expect(text.unicodeScalars.elementsEqual(expected.unicodeScalars), Comment(rawValue: source))
      case (.success(let text), nil):
        Issue.record("\(text) instead of \(oracle["error"]?.string ?? ""): \(source)")
      case (.failure(let error), _) where error.kind == .unsupported:
        unsupported += 1
      case (.failure(let error), let expected?):
        Issue.record("\(error) instead of \(expected): \(source)")
      case (.failure(let error), nil):
        #expect(error.kind == Self.kind(oracle), "\(error.message) instead of \(oracle["error"]?.string ?? ""): \(source)")
      }
    }
    #expect(unsupported < lines.count / 50)
  }

  /// Returns the kind of error that corresponds to an exception in Python.
  private static func kind(_ oracle: JSONValue) -> JinjaError.Kind? {
    switch oracle["kind"]?.string {
    case "TemplateSyntaxError": .syntax
    case "TemplateAssertionError": .unknownName
    case "UndefinedError": .undefined
    // Calling a method that a value does not have.
    case "TypeError", "AttributeError": .type
    case "ValueError", "IndexError", "KeyError", "AssertionError": .value
    case "ZeroDivisionError", "OverflowError": .arithmetic
    case "SecurityError": .security
    case "TemplateRuntimeError", "FilterArgumentError": .runtime
    case "raise_exception": .raised
    default: nil
    }
  }
}

/// Jinja2 in Python, which only these tests need; scripts/fetch-python-packages installs it.
enum Jinja2 {
  static let isInstalled: Bool = {
    (try? run("-c", "import jinja2; assert tuple(map(int, jinja2.__version__.split('.')[:3])) >= (3, 1, 5)")) != nil
  }()

  static let absence: Comment = "Python has no jinja2 of 3.1.5 or newer; scripts/fetch-python-packages installs it"

  /// Returns programs and their results, one JSON object per line; the first line is their context.
  static func programs(seed: Int, count: Int) throws -> [String] {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try run(root.appending(path: "JinjaPrograms/make-programs").path, "\(seed)", "\(count)")
  }

  private struct Failed: Error {}

  private static func run(_ arguments: String...) throws -> [String] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3"] + arguments
    var environment = ProcessInfo.processInfo.environment
    if let packages = environment["GGUFPACK_PYTHON"] { environment["PYTHONPATH"] = packages }
    process.environment = environment
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failed() }
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
