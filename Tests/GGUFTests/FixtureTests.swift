// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import GGUF
import TestSupport
import Testing

@testable import make_fixtures

@Suite("Fixtures")
struct FixtureTests {
  @Test("The generator makes the committed files again, byte for byte")
  func reproducible() throws {
    try withTemporaryFolder { folder in
      for fixture in MakeFixtures.fixtures { try fixture.write(into: folder) }
      let committed = try ggufFiles(in: fixturesFolder)
      #expect(try ggufFiles(in: folder) == committed)
      #expect(committed.count == 7)
      for file in committed {
        let same = FileManager.default.contentsEqual(atPath: "\(folder)/\(file)", andPath: "\(fixturesFolder)/\(file)")
        #expect(same, "\(file) differs: run `swift run make-fixtures` if the generator was changed on purpose")
      }
    }
  }

  @Test("Every committed file opens")
  func open() throws {
    for file in try ggufFiles(in: fixturesFolder) {
      let model = try GGUFModel.open("\(fixturesFolder)/\(file)")
      #expect(model.metadata.string("general.architecture") != nil)
    }
  }

  @Test("One file has every weight type, with numbers of rows that leave a remainder")
  func everyType() throws {
    let model = try GGUFModel.open("\(fixturesFolder)/every-type.gguf")
    #expect(Set(model.tensors.map(\.info.type)) == Set(WeightType.allCases))
    #expect(model.tensors.filter { $0.info.rowCount % 16 != 0 }.count >= WeightType.allCases.count)
    #expect(model.parts[0].header.alignment == 64)
  }

  private func ggufFiles(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".gguf") }.sorted()
  }
}
