// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation

/// Python's jsonschema, which only these tests need; scripts/fetch-python-packages installs it.
package enum PythonValidator {
  private static let script = """
    import json, sys
    import jsonschema
    for line in sys.stdin:
        schema, text = json.loads(line)
        try:
            jsonschema.Draft202012Validator(schema).validate(json.loads(text))
        except Exception as error:
            print(json.dumps(schema), text, str(error).splitlines()[0])
    """

  package static let isInstalled: Bool = (try? complaints(about: [])) != nil
  package static let absence = "Python has no jsonschema; scripts/fetch-python-packages installs it"

  private struct Failed: Error {}

  /// Returns jsonschema's complaints about lines of `[schema, text]`.
  package static func complaints(about lines: [String]) throws -> [String] {
    let input = FileManager.default.temporaryDirectory.appending(path: "grammar-\(UUID().uuidString).jsonl")
    try Data((lines.joined(separator: "\n") + (lines.isEmpty ? "" : "\n")).utf8).write(to: input)
    defer { try? FileManager.default.removeItem(at: input) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script]
    var environment = ProcessInfo.processInfo.environment
    if let packages = environment["GGUFPACK_PYTHON"] { environment["PYTHONPATH"] = packages }
    process.environment = environment
    process.standardInput = try FileHandle(forReadingFrom: input)
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failed() }
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
