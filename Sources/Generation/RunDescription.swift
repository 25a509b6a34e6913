// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import JSON
import PackFormat
import PackRuntime

/// What does not change while a session runs, for `packrun top`: the pack, where its replicas are, and what a step of each model
/// reads.
struct RunDescription {
  private let session: Session

  init(_ session: Session) { self.session = session }

  /// The description as JSON.
  var text: [UInt8] {
    let replicas: [JSONValue] = session.weights.replicaRanges.map { file, node, range in
      [
        "file": .string(file), "node": .integer(Int128(node)), "start": .integer(Int128(range.start)),
        "byteCount": .integer(Int128(range.count)),
      ]
    }
    let document: JSONValue = [
      "schemaVersion": 1, "pack": .string(session.pack.wholePath), "memory": .string(session.weights.kind.rawValue),
      "replicas": .array(replicas), "lanes": .array(lanes),
    ]
    return Array(document.compact.utf8)
  }

  /// For each model, its nodes with their threads and the bytes of weights that these read in a step.
  private var lanes: [JSONValue] {
    session.stepReadings.map { readings in
      .array(
        readings.map { reading in
          [
            "node": .integer(Int128(reading.node)), "threads": .integer(Int128(reading.threads)),
            "weightByteCount": .integer(Int128(reading.byteCount)),
          ]
        })
    }
  }
}
